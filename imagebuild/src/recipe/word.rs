use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that does not follow the grammar of its word.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct Invalid {
    text: String,
    wanted: &'static str,
}

/// Defines a word: a string that follows a rule.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The word as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;

            fn try_from(text: String) -> Result<Self, Invalid> {
                let rule: fn(&str) -> bool = $rule;
                if rule(&text) { Ok(Self(text)) } else { Err(Invalid { text, wanted: $wanted }) }
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
    /// Name of an image: it becomes part of file names and of names in a gallery.
    ImageName,
    "an image name of lower-case letters, digits and dashes, at most 63",
    |text| {
        (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

word!(
    /// Version of an image: three numbers, because galleries take no other.
    Version,
    "a version of three numbers such as `1.4.0`",
    |text| {
        let number = |part: &str| {
            (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        text.split('.').count() == 3 && text.split('.').all(number)
    }
);

word!(
    /// Codename of a Debian release.
    Suite,
    "the codename of a Debian release such as `bookworm`",
    |text| {
        (1..=40).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    }
);

word!(
    /// A file or folder, absolute or below the recipe's folder. It cannot climb, and its last part is a
    /// plain name.
    LocalPath,
    "a path without `..`, control characters, or parts that begin with a dash",
    |text| {
        let part = |part: &str| !part.is_empty() && part != ".." && !part.starts_with('-');
        let below = text.strip_prefix('/').unwrap_or(text);
        let last = below.rsplit('/').next().unwrap_or_default();
        text.len() <= 4096
            && last.len() <= 255
            && last != "."
            && !text.chars().any(char::is_control)
            && below.split('/').all(part)
    }
);

impl LocalPath {
    /// A path that stands in this program.
    pub(super) fn fixed(path: &'static str) -> Self {
        Self(path.to_owned())
    }

    /// Its last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names_are_safe_as_file_names() {
        let name = |text: &str| ImageName::try_from(text.to_owned());
        assert!(name("research-desktop2").is_ok());
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a b",
            "a\nb",
            "../a",
            "a/b",
            "a.b",
            "ä",
            &"a".repeat(64),
        ] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn versions_are_three_numbers() {
        let version = |text: &str| Version::try_from(text.to_owned());
        assert!(version("1.20.3").is_ok());
        for bad in [
            "", "1", "1.2", "1.2.3.4", "1.2.x", "1..2", "v1.2.3", "1.2.-3", "../1.2",
        ] {
            assert!(version(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_cannot_climb_or_pass_for_options() {
        let path = |text: &str| LocalPath::try_from(text.to_owned());
        for good in ["a", "/srv/in coming/a.deb", "in/libx++_1%3a2~b.deb", "./a"] {
            assert!(path(good).is_ok(), "{good}");
        }
        for bad in [
            "", "..", "../a", "a/../b", "a//b", "a/", "a\nb", "a\0b", "-rf", "a/-rf", ".",
        ] {
            assert!(path(bad).is_err(), "{bad:?}");
        }
        assert_eq!(path("in/a.deb").unwrap().file_name(), "a.deb");
    }
}
