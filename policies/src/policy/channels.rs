//! What may cross the remote desktop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may cross the remote desktop. What is not written is denied.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Channels {
    /// Copying from the machine to the researcher's own device.
    pub clipboard_out: OutboundClipboard,
    /// Copying from the researcher's own device to the machine.
    pub clipboard_in: Clipboard,
    /// Drives, printers and smart cards of the researcher's own device.
    pub drives: Drives,
    /// Who may log in over SSH.
    pub ssh: Ssh,
}

/// Copying from the machine to the researcher's own device.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutboundClipboard {
    /// Nothing may be copied out.
    #[default]
    Deny,
}

/// Copying from the researcher's own device to the machine.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clipboard {
    /// Nothing may be pasted in.
    #[default]
    Deny,
    /// Text may be pasted in. The channel has to be open for that, so that only a process of the
    /// researcher's stands between the machine and copying out.
    Text,
}

/// Drives, printers and smart cards of the researcher's own device.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drives {
    /// None is handed through.
    #[default]
    Deny,
}

/// Who may log in over SSH.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ssh {
    /// Everyone but researchers: a shell over SSH is a way out that the machine cannot close.
    #[default]
    Admins,
}
