//! A policy: everything that must hold on one kind of machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{Control, ControlId};
use crate::digest::Digest;
use crate::names::PlainName;
use crate::waiver::Waiver;

pub use crate::policy::channels::{Channels, Clipboard, Drives, OutboundClipboard, Ssh};
pub use crate::policy::egress::{Destination, Egress, Metadata, Mode};
pub use crate::policy::mount::{Access, Identity, Mount};

/// A value's one way of being written, for digests.
mod canonical;
/// What may cross the remote desktop.
mod channels;
/// Where the machine may send packets.
mod egress;
/// The secure storage that the machine mounts.
mod mount;

/// A policy with everything that it extends, its sections expanded into controls.
///
/// Made by [`load`](crate::load::load) only, so it has at least one control, no two controls that
/// contradict each other, and no waiver without its control.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Whom the machine keeps in.
    pub researchers: Researchers,
    /// Where the machine may send packets.
    pub egress: Option<Egress>,
    /// Who may ask the instance metadata service.
    pub metadata: Option<Metadata>,
    /// What may cross the remote desktop.
    pub channels: Option<Channels>,
    /// The secure storage that the machine mounts, by name.
    pub mounts: Vec<Mount>,
    /// What must hold, by id; the sections' controls included.
    pub controls: Vec<Control>,
    /// Exceptions, by control.
    pub waivers: Vec<Waiver>,
}

impl Policy {
    /// The digest of the policy's canonical form: equal for policies that demand the same, however they
    /// are written.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }

    /// The policy as JSON with sorted keys and without spaces.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical::json(self)
    }

    /// The control of a name.
    #[must_use]
    pub fn control(&self, id: &ControlId) -> Option<&Control> {
        let index = self
            .controls
            .binary_search_by(|control| control.id.cmp(id))
            .ok()?;
        self.controls.get(index)
    }

    /// The waiver of a control.
    #[must_use]
    pub fn waiver(&self, id: &ControlId) -> Option<&Waiver> {
        self.waivers.iter().find(|waiver| &waiver.control == id)
    }
}

/// Whom the machine keeps in.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Researchers {
    /// Groups whose members are researchers.
    pub groups: Vec<PlainName>,
}
