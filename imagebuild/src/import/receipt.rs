use jiff::Timestamp;
use policies::names::PlainName;
use serde::{Deserialize, Serialize};

use super::scan::Verdict;
use crate::intoto::Predicate;

/// What is signed for each binary that came in. The statement's subject is the binary itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Receipt {
    /// What the recipe calls it.
    pub name: PlainName,
    /// The name of the file that its owner handed over.
    pub source: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it lies in the secure folder.
    pub secure_path: String,
    /// What the scanner said.
    pub scan: Verdict,
    /// When it was taken from the landing folder.
    pub landed: Timestamp,
    /// When it lay in the secure folder, verified.
    pub secured: Timestamp,
    /// The version of the program that brought it in.
    pub imagebuild: String,
}

impl Predicate for Receipt {
    const TYPE: &'static str = "https://sealed-dsvm.dev/receipt/v1";
}
