//! The kinds of things that a policy can demand, one file each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::SysctlKey;

/// What a control looks at. Closed on purpose: adding a kind is a reviewed change.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Check {
    /// A kernel parameter.
    Sysctl {
        /// Its name.
        key: SysctlKey,
    },
}
