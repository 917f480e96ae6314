//! From text to a policy.
//!
//! A policy is made of layers: what it extends (depth first, in the order written), then itself, then its
//! fragments. A later layer adds controls, and changes one only where it says `override = true`; a section
//! such as `[egress]` replaces the section of an earlier layer as a whole, so that what holds stands in
//! one place.

use crate::policy::Policy;

pub use crate::load::error::{Error, Place, Problem};

/// The text of one layer, as serde sees it.
mod document;
/// What can be wrong with a policy.
mod error;
/// What was meant by a word that nobody knows.
mod hint;
/// Layers put on top of each other.
mod layers;

/// The most that one layer may weigh, in bytes.
pub const MOST_BYTES: usize = 10 * 1024 * 1024;

/// Loads a policy with everything that it extends and with its fragments.
///
/// `resolve` gives the text of a layer that `extends` names, such as `baseline/cis-l1`, or says why it
/// cannot. `name` and the fragments' names stand in errors only.
///
/// ```
/// let text = r#"
///     schema = 1
///     name = "example"
///     [[control]]
///     id = "KRN-004"
///     title = "Kernel pointers are hidden"
///     severity = "medium"
///     rationale = "Leaked addresses defeat address-space randomisation."
///     check.sysctl = { key = "kernel.kptr_restrict", at-least = 2 }
/// "#;
/// let policy = policies::load::load("example.toml", text, &[], &|_| Err("nothing is shipped".to_owned()))?;
/// assert_eq!(policy.controls.len(), 1);
/// # Ok::<(), policies::load::Error>(())
/// ```
///
/// # Errors
/// Says in which file, line and column a policy is not valid, and what was probably meant.
pub fn load(
    name: &str,
    text: &str,
    fragments: &[(String, String)],
    resolve: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Policy, Error> {
    let mut layers = layers::Layers::new(resolve);
    layers.put_policy(name, text)?;
    for (name, text) in fragments {
        layers.put_fragment(name, text)?;
    }
    layers.settle()
}

/// The JSON Schema of a policy's text.
pub(crate) fn schema() -> schemars::Schema {
    schemars::schema_for!(document::Document)
}
