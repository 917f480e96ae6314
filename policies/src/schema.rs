//! JSON Schemas of the formats that others read or write.

use schemars::Schema;

use crate::load;
use crate::manifest::Manifest;
use crate::report::Report;

/// The published schemas: their file names under `policies/schema/`, and what they say.
#[must_use]
pub fn published() -> [(&'static str, Schema); 3] {
    [
        ("import-manifest-1.json", schemars::schema_for!(Manifest)),
        ("policy-1.json", load::schema()),
        ("report-1.json", schemars::schema_for!(Report)),
    ]
}
