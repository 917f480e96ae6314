//! Policies on disk: the file that a recipe names, and the layers that it extends.

use std::{cell::RefCell, collections::BTreeMap, io, path::Path};

use policies::{digest::Digest, load, policy::Policy};

use crate::{
    exit::{Ends, Exit},
    files,
};

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("failed to load the policy")]
    Read(#[from] files::Error),
    /// The text is no policy.
    #[error(transparent)]
    Invalid(Box<load::Error>),
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Read(_) => None,
            Self::Invalid(error) => error.hint().map(str::to_owned),
        }
    }
}

/// A policy and the files that it is made of.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// The text of its own file.
    pub text: String,
    /// The texts of the layers that it extends, by name.
    pub layers: BTreeMap<String, Layer>,
}

/// A layer that a policy extends.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its text.
    pub text: String,
    /// Whether the agent ships it, so that it need not be put into the image.
    pub shipped: bool,
}

/// Loads a policy. A layer is looked for beside the policy, then among those that the agent ships.
pub fn load(path: &Path, shipped: &Path) -> Result<Loaded, Error> {
    let text = files::text(path, most())?;
    let layers = RefCell::new(BTreeMap::new());
    let resolve = |name: &str| {
        let layer = find(name, files::folder_of(path), shipped)?;
        let text = layer.text.clone();
        layers.borrow_mut().insert(name.to_owned(), layer);
        Ok(text)
    };
    let policy = load::load(&path.display().to_string(), &text, &[], &resolve)
        .map_err(Box::new)
        .map_err(Error::Invalid)?;
    Ok(Loaded {
        policy,
        text,
        layers: layers.into_inner(),
    })
}

fn find(name: &str, beside: &Path, shipped: &Path) -> Result<Layer, String> {
    let file = format!("{name}.toml");
    for (folder, is_shipped) in [(beside, false), (shipped, true)] {
        match files::text(&folder.join(&file), most()) {
            Ok(text) => {
                return Ok(Layer {
                    text,
                    shipped: is_shipped,
                });
            }
            Err(error)
                if error
                    .io()
                    .is_some_and(|e| e.kind() == io::ErrorKind::NotFound) => {}
            Err(error) => return Err(crate::ui::causes(&error)),
        }
    }
    Err(format!(
        "there is no `{file}` beside the policy, and the agent ships none"
    ))
}

impl Loaded {
    /// The digests of the files, by name; the policy's own is `policy.toml`.
    pub fn files(&self) -> BTreeMap<String, Digest> {
        let own = ("policy.toml".to_owned(), Digest::of(self.text.as_bytes()));
        self.layers
            .iter()
            .map(|(name, layer)| (format!("{name}.toml"), Digest::of(layer.text.as_bytes())))
            .chain([own])
            .collect()
    }

    /// Writes what becomes `/etc/dsvm-agent` of an image.
    pub fn write(&self, folder: &Path) -> Result<(), files::Error> {
        files::make_folder(folder)?;
        files::write(&folder.join("policy.toml"), self.text.as_bytes(), 0o644)?;
        for (name, layer) in self.layers.iter().filter(|(_, layer)| !layer.shipped) {
            let path = folder.join(format!("{name}.toml"));
            files::make_folder(files::folder_of(&path))?;
            files::write(&path, layer.text.as_bytes(), 0o644)?;
        }
        Ok(())
    }
}

fn most() -> u64 {
    u64::try_from(load::MOST_BYTES).unwrap_or(u64::MAX)
}
