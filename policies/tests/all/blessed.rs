//! Files of the tree that are made from the code.

use std::path::Path;

/// Compares a made text with its file in the tree; `BLESS=1` writes the file instead.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may read and write the tree, the crate may not"
)]
pub(crate) fn compare(path: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "{} is not what the code says; `BLESS=1 cargo test -p policies` rewrites it",
        path.display()
    );
}

/// The text of a file of the tree.
#[expect(
    clippy::disallowed_methods,
    reason = "tests may read the tree, the crate may not"
)]
pub(crate) fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).unwrap()
}
