//! The secure storage that the machine mounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{AbsPath, AccountName, ClientId, ContainerName, PlainName};

/// A container of the secure storage, mounted into the machine.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mount {
    /// What people call it.
    pub name: PlainName,
    /// The storage account.
    pub account: AccountName,
    /// The container in the account.
    pub container: ContainerName,
    /// Where it is mounted.
    pub path: AbsPath,
    /// What can be done with it.
    pub access: Access,
    /// Who asks for it.
    #[serde(default)]
    pub identity: Identity,
}

/// What can be done with a mounted container.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Reading.
    ReadOnly,
    /// Putting new files, never changing or removing them.
    WriteOnce,
}

/// Who asks for a mounted container.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// A managed identity that is assigned to the machine, by its client id.
    ClientId(ClientId),
    /// The machine's own managed identity.
    #[default]
    System,
}
