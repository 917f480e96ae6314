//! Versions of Debian packages, in their own order.

use std::cmp::Ordering;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A version of a Debian package: `[epoch:]upstream[-revision]` (Debian Policy 5.6.12).
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Version(String);

/// A text that is not the version of a Debian package.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not a version such as `1:9.2p1-2`", text.escape_debug())]
pub struct InvalidVersion {
    text: String,
}

impl Version {
    fn parts(&self) -> (u64, &str, &str) {
        let (epoch, rest) = match self.0.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
            None => (0, self.0.as_str()),
        };
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        (epoch, upstream, revision)
    }
}

impl TryFrom<String> for Version {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let epoch = text
            .split_once(':')
            .is_none_or(|(epoch, _)| epoch.parse::<u32>().is_ok());
        let rest = text.split_once(':').map_or(text.as_str(), |(_, rest)| rest);
        let fits = epoch
            && text.len() <= 256
            && rest.starts_with(|c: char| c.is_ascii_alphanumeric())
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".+-:~".contains(&b));
        if fits {
            Ok(Self(text))
        } else {
            Err(InvalidVersion { text })
        }
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.parts(), other.parts());
        mine.0
            .cmp(&theirs.0)
            .then_with(|| compare(mine.1, theirs.1))
            .then_with(|| compare(mine.2, theirs.2))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

/// Compares alternately what is not a number and what is, as Debian Policy says.
fn compare(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (word_a, rest_a) = split(a, |c| !c.is_ascii_digit());
        let (word_b, rest_b) = split(b, |c| !c.is_ascii_digit());
        let (number_a, rest_a) = split(rest_a, |c| c.is_ascii_digit());
        let (number_b, rest_b) = split(rest_b, |c| c.is_ascii_digit());
        let order = compare_words(word_a, word_b).then_with(|| compare_numbers(number_a, number_b));
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn split(text: &str, belongs: fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A tilde is before the end, the end before letters, letters before the rest.
fn compare_words(a: &str, b: &str) -> Ordering {
    let rank = |c: Option<char>| match c {
        Some('~') => (0, 0),
        None => (1, 0),
        Some(c) if c.is_ascii_alphabetic() => (2, u32::from(c)),
        Some(c) => (3, u32::from(c)),
    };
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        let (x, y) = (a.next(), b.next());
        let order = rank(x).cmp(&rank(y));
        if order != Ordering::Equal || (x.is_none() && y.is_none()) {
            return order;
        }
    }
}

fn compare_numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian Policy 5.6.12 and `dpkg --compare-versions`.
    #[test]
    fn versions_are_in_debians_order() {
        let version = |text: &str| Version::try_from(text.to_owned()).unwrap();
        let ascending = [
            "1.0~~",
            "1.0~~a",
            "1.0~",
            "1.0",
            "1.0-1~bpo1",
            "1.0-1",
            "1.0-1.1",
            "1.0-2",
            "1.0-10",
            "1.0a",
            "1.0+b1",
            "1.9",
            "1.10",
            "1:0.1",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("1.0"), version("0:1.0-0"));
        assert_eq!(version("1.01"), version("1.1"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for bad in ["", "-1", "a b", "x:1", "1.0\n", "é"] {
            assert!(Version::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
