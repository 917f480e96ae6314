//! Layers that a layer names.

use crate::load::error::{Error, Problem};
use crate::load::layers::{Layers, Origin, Role};

/// How deep policies may extend each other.
const MOST_DEPTH: usize = 16;

impl Layers<'_> {
    /// Puts a layer that another one extends, once.
    pub(super) fn extend(&mut self, layer: &str, origin: &Origin) -> Result<(), Error> {
        let refuse = |cause: String| Problem::Extends {
            layer: layer.to_owned(),
            cause,
        };
        if !is_layer_name(layer) {
            let cause = "it is not a relative path such as `baseline/cis-l1`".to_owned();
            return Err(self.error(origin, refuse(cause), None));
        }
        if let Some(first) = self.chain.iter().position(|name| name == layer) {
            let mut chain: Vec<String> = self.chain.iter().skip(first).cloned().collect();
            chain.push(layer.to_owned());
            return Err(self.error(origin, Problem::Cycle { chain }, None));
        }
        if self.chain.len() >= MOST_DEPTH {
            return Err(self.error(origin, Problem::Depth { most: MOST_DEPTH }, None));
        }
        if self.put.contains(layer) {
            return Ok(());
        }
        let text =
            (self.resolve)(layer).map_err(|cause| self.error(origin, refuse(cause), None))?;
        self.chain.push(layer.to_owned());
        self.put(layer, text, Role::Extended)?;
        self.chain.pop();
        self.put.insert(layer.to_owned());
        Ok(())
    }
}

/// Says whether a text can name a layer: a relative path without `.`, `..` and hidden parts.
fn is_layer_name(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    text.len() <= 255 && text.split('/').all(part)
}
