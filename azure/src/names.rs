//! Names of Azure, each in a type that holds nothing but a name that Azure would take.
//!
//! A name becomes a part of a URL. What could leave its place there (a slash, a dot segment, a query) is
//! refused when the name is made, not when the URL is.

use serde::{Deserialize, Serialize};

/// A text that is not a name of its kind.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct InvalidName {
    text: String,
    wanted: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(InvalidName { text, wanted: $wanted }) }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidName;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A storage account, such as `stsecure`.
    Account,
    "a storage account: 3 to 24 lower-case letters and digits",
    |text| within(text, 3, 24) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
);

name!(
    /// A container of a storage account, such as `import`.
    ContainerName,
    "a container: 3 to 63 lower-case letters, digits and single hyphens",
    |text| {
        within(text, 3, 63)
            && !text.contains("--")
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

name!(
    /// A blob of a container, such as `tools/samtools_1.16.deb`.
    ///
    /// Backslashes are refused: the service turns them into slashes, so that two names would be one blob.
    /// So are dot segments, which the URL would swallow.
    BlobName,
    "a blob: at most 1024 characters without `\\`, control characters and dot segments",
    |text| {
        within(text, 1, 1024)
            && text.chars().all(|c| c != '\\' && !c.is_control())
            && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    }
);

name!(
    /// A Key Vault, such as `kv-signing`.
    VaultName,
    "a key vault: 3 to 24 letters, digits and single hyphens, beginning with a letter",
    |text| {
        within(text, 3, 24)
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !text.ends_with('-')
            && !text.contains("--")
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    }
);

name!(
    /// One segment of the path of a resource: a subscription, a resource group, a factory, a gallery, a run.
    Segment,
    "a name of a resource: at most 90 letters, digits, `-`, `_`, `.` and brackets",
    |text| {
        within(text, 1, 90)
            && !text.ends_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.()".contains(&b))
    }
);

name!(
    /// The id of a resource, such as `/subscriptions/…/providers/Microsoft.Compute/galleries/tre`.
    ResourceId,
    "the id of a resource: `/subscriptions/…` and pairs of names",
    |text| {
        let mut segments = text.split('/');
        segments.next() == Some("")
            && segments.next().is_some_and(|first| first.eq_ignore_ascii_case("subscriptions"))
            && text.split('/').skip(1).count().is_multiple_of(2)
            && text.split('/').skip(1).all(|part| Segment::try_from(part).is_ok())
    }
);

impl ResourceId {
    /// The name of the resource: the last segment.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

fn within(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_their_place_in_a_url_are_refused() {
        for text in [
            "", "..", "a/../b", "./a", "a//b", "a\\b", "/a", "a/", "a\nb",
        ] {
            assert!(BlobName::try_from(text).is_err(), "{text:?}");
        }
        for text in ["", "..", "a/b", "a?b", "a#b", "a b", "a%2Fb", "a."] {
            assert!(Segment::try_from(text).is_err(), "{text:?}");
        }
        for text in ["", "ab", "st.evil", "st/x", "ST", "st@evil", "a-b"] {
            assert!(Account::try_from(text).is_err(), "{text:?}");
        }
        for text in ["", "1vault", "a--b", "kv.evil", "kv-"] {
            assert!(VaultName::try_from(text).is_err(), "{text:?}");
        }
        for text in [
            "",
            "/",
            "/subscriptions",
            "/subscriptions/s/..",
            "/subscriptions/s/a/b?x",
            "//evil/s",
            "subscriptions/s",
        ] {
            assert!(ResourceId::try_from(text).is_err(), "{text:?}");
        }
        for text in ["ab", "Import", "a--b", "-ab", "a/b"] {
            assert!(ContainerName::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn names_that_azure_takes_are_taken() {
        assert_eq!(
            Account::try_from("stsecure01").unwrap().as_str(),
            "stsecure01"
        );
        assert!(ContainerName::try_from("import-2026").is_ok());
        assert!(BlobName::try_from("tools/a b+c_1.16~ü.deb").is_ok());
        assert!(VaultName::try_from("kv-signing").is_ok());
        assert!(Segment::try_from("rg_tre-01.(west)").is_ok());
        let gallery =
            "/subscriptions/11/resourceGroups/rg/providers/Microsoft.Compute/galleries/tre";
        assert_eq!(ResourceId::try_from(gallery).unwrap().name(), "tre");
    }
}
