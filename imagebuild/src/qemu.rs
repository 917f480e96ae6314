//! QEMU: how machines run on this host.

mod probe;

use std::path::{Path, PathBuf};

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

impl Accelerator {
    /// The value of QEMU's `-accel`.
    pub const fn accel(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi,tb-size=512",
        }
    }

    /// The value of QEMU's `-cpu`.
    ///
    /// For emulation the plainest 64-bit processor there is: a guest that finds AVX and its like uses
    /// them, and emulated they are slower than doing without (measured: a boot takes 21 s instead of 41 s).
    pub const fn cpu(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "qemu64,-svm",
        }
    }

    /// What it is called in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kvm => "KVM",
            Self::Tcg => "emulation",
        }
    }
}

/// Finds out which accelerator works here; KVM is tried out, because `/dev/kvm` that opens proves nothing.
///
/// The answer is kept in the cache until the host boots anew.
pub fn accelerator(cache: &Path) -> Accelerator {
    probe::accelerator(cache)
}

/// Where the host keeps the UEFI firmware for its machines, if it has it. Debian's package is `ovmf`.
pub fn firmware() -> Option<PathBuf> {
    FIRMWARE
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
}

/// A path as part of an option of QEMU, where a comma ends a value and two are one.
pub fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// Where distributions put firmware with variables inside, as `-bios` takes it.
const FIRMWARE: [&str; 4] = [
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/OVMF/OVMF.fd",
    "/usr/share/edk2/ovmf/OVMF.fd",
    "/usr/share/qemu/ovmf-x86_64.bin",
];
