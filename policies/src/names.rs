//! Words with a grammar: paths, file modes, unit names, …
//!
//! Each is parsed once, where it comes in, and cannot be wrong afterwards.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text that does not follow the grammar of its word.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct InvalidName {
    text: String,
    wanted: &'static str,
}

/// Defines a word: a string that follows a rule.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(
            Clone, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// The word as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let rule: fn(&str) -> bool = $rule;
                if rule(&text) { Ok(Self(text)) } else { Err(InvalidName { text, wanted: $wanted }) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

word!(
    /// An absolute path without `.`, `..`, empty parts or control characters.
    AbsPath,
    "an absolute path without `..`",
    |text| {
        let part = |part: &str| !part.is_empty() && part != "." && part != "..";
        text.len() <= 4096
            && !text.chars().any(char::is_control)
            && (text == "/" || text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(part)))
    }
);

word!(
    /// A plain file name: no slash, no leading dot or dash, no control characters.
    FileName,
    "a plain file name",
    |text| {
        (1..=255).contains(&text.len())
            && !text.starts_with(['.', '-'])
            && !text.chars().any(|c| c == '/' || c.is_control())
    }
);

word!(
    /// Name of a kernel parameter in dotted form, such as `kernel.kptr_restrict`.
    SysctlKey,
    "a kernel parameter such as `kernel.kptr_restrict`",
    |text| {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        text.len() <= 128 && text.contains('.') && text.split('.').all(part)
    }
);

word!(
    /// Name of a systemd unit with its type, such as `ssh.service`.
    UnitName,
    "a systemd unit such as `ssh.service`",
    |text| {
        const TYPES: [&str; 6] = ["mount", "path", "service", "slice", "socket", "timer"];
        text.len() <= 255
            && !text.starts_with(['.', '-'])
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":_.@\\-".contains(&b))
            && text.rsplit_once('.').is_some_and(|(name, kind)| {
                !name.is_empty() && TYPES.contains(&kind)
            })
    }
);

word!(
    /// Name of a package (Debian Policy 5.6.1), account or group.
    PlainName,
    "a name of lower-case letters, digits and `+-._`",
    |text| {
        (1..=100).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-._".contains(&b))
    }
);

word!(
    /// Name of a storage account: 3 to 24 lower-case letters and digits.
    AccountName,
    "a storage account's name: 3 to 24 lower-case letters and digits",
    |text| {
        (3..=24).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    }
);

word!(
    /// Name of a container in a storage account: 3 to 63 lower-case letters, digits and single dashes.
    ContainerName,
    "a container's name: 3 to 63 lower-case letters, digits and single dashes",
    |text| {
        (3..=63).contains(&text.len())
            && text.split('-').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
    }
);

word!(
    /// Client id of a managed identity: a UUID in lower case with its four dashes.
    ClientId,
    "a client id such as `01234567-89ab-cdef-0123-456789abcdef`",
    |text| {
        text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
            && text
                .bytes()
                .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }
);

word!(
    /// A full host name in lower case, such as `stsecure.blob.core.windows.net`; never an address, which
    /// would be let through without the proof that a name's answer lies where it must.
    HostName,
    "a full host name in lower case such as `stsecure.blob.core.windows.net`",
    |text| {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        text.len() <= 253 && text.contains('.') && !is_address && text.split('.').all(label)
    }
);

/// Permission bits of a file, at most `7777`; written in octal, such as `0640`.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Mode(u32);

impl Mode {
    /// The permission bits of a mode, without the kind of file.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & 0o7777)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Says whether this mode grants nothing that `most` does not grant.
    #[must_use]
    pub const fn is_within(self, most: Self) -> bool {
        self.0 & !most.0 == 0
    }
}

impl TryFrom<String> for Mode {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let octal =
            (3..=5).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(&text, 8) {
            Ok(bits) if octal && bits <= 0o7777 => Ok(Self(bits)),
            _ => Err(InvalidName {
                text,
                wanted: "a file mode such as `0640`",
            }),
        }
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        mode.to_string()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_climb() {
        for good in ["/", "/etc/passwd", "/a b/ü"] {
            assert!(good.parse::<AbsPath>().is_ok(), "{good}");
        }
        for bad in [
            "", "etc", "/etc/", "/a/../b", "/./a", "//a", "/a\nb", "/a\0",
        ] {
            assert!(bad.parse::<AbsPath>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn file_names_stay_in_their_folder() {
        for bad in ["", ".", "..", "../x", "a/b", "a\nb", "-rf", ".hidden"] {
            assert!(bad.parse::<FileName>().is_err(), "{bad:?}");
        }
        assert!("plink 1.9.deb".parse::<FileName>().is_ok());
    }

    #[test]
    fn kernel_parameters_cannot_climb() {
        for bad in ["", "kernel", "kernel..x", "kernel/x.y", "../x.y", "a.b c"] {
            assert!(bad.parse::<SysctlKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn host_names_are_names() {
        assert!("stsecure.blob.core.windows.net".parse::<HostName>().is_ok());
        for bad in [
            "",
            "localhost",
            "A.b",
            "10.0.0.1",
            "a..b",
            "-a.b",
            "a_b.c",
            "*.b.c",
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn storage_is_named_as_azure_names_it() {
        assert!("stsecure".parse::<AccountName>().is_ok());
        assert!("st-secure".parse::<AccountName>().is_err());
        assert!("import-2".parse::<ContainerName>().is_ok());
        for bad in ["ab", "-import", "import-", "im--port", "Import"] {
            assert!(bad.parse::<ContainerName>().is_err(), "{bad}");
        }
        assert!(
            "01234567-89ab-cdef-0123-456789abcdef"
                .parse::<ClientId>()
                .is_ok()
        );
        assert!(
            "0123456789abcdef0123456789abcdef"
                .parse::<ClientId>()
                .is_err()
        );
    }

    #[test]
    fn modes_are_octal() {
        let mode = |text: &str| Mode::try_from(text.to_owned());
        assert_eq!(mode("0640").unwrap().bits(), 0o640);
        assert_eq!(mode("644").unwrap().to_string(), "0644");
        for bad in ["", "8", "0888", "17777", "-644", "0x1f", "+644"] {
            assert!(mode(bad).is_err(), "{bad}");
        }
        assert!(mode("0640").unwrap().is_within(mode("0644").unwrap()));
        assert!(!mode("0660").unwrap().is_within(mode("0644").unwrap()));
    }
}
