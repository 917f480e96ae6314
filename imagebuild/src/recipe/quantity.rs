use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// A number of bytes, written such as `4GiB` or `512MiB`; always whole MiB, as disks and memory are.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(u64);

impl Bytes {
    /// A number of GiB.
    pub const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    /// The number of bytes.
    pub const fn count(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [("MiB", 1 << 20), ("GiB", 1 << 30)];
        whole(&text, &units, 64 << 40)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a size such as `512MiB` or `4GiB`"))
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.to_string()
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1 << 30) {
            write!(f, "{}GiB", self.0 >> 30)
        } else {
            write!(f, "{}MiB", self.0 >> 20)
        }
    }
}

/// A length of time, written such as `90s`, `10m` or `1h`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

impl Span {
    /// A number of minutes.
    pub const fn minutes(count: u64) -> Self {
        Self(count * 60)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [("s", 1), ("m", 60), ("h", 3600)];
        whole(&text, &units, 24 * 3600).map(Self).ok_or_else(|| {
            format!("{text:?} is not a time such as `90s`, `10m` or `1h`, at most a day")
        })
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        Self::from_secs(span.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600),
            seconds if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

/// Reads a whole number above zero with one of the units, if the product is at most `most`.
fn whole(text: &str, units: &[(&str, u64)], most: u64) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let (_, factor) = units
        .iter()
        .find(|(unit, _)| text.strip_prefix(digits) == Some(unit))?;
    let count = if digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse::<u64>().ok()?
    } else {
        0
    };
    count
        .checked_mul(*factor)
        .filter(|product| (1..=most).contains(product))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        let size = |text: &str| Bytes::try_from(text.to_owned());
        assert_eq!(size("4GiB").unwrap(), Bytes::gib(4));
        assert_eq!(size("1536MiB").unwrap().to_string(), "1536MiB");
        for bad in [
            "",
            "4",
            "GiB",
            "0GiB",
            "-1GiB",
            "+1GiB",
            "4GB",
            "4 GiB",
            "1.5GiB",
            "99999999999999999999GiB",
            "18446744073709551615GiB",
        ] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_read_and_written() {
        let span = |text: &str| Span::try_from(text.to_owned());
        assert_eq!(
            Duration::from(span("90s").unwrap()),
            Duration::from_secs(90)
        );
        assert_eq!(span("120m").unwrap().to_string(), "2h");
        for bad in ["", "10", "m", "0s", "25h", "10 m", "1d", "1h30m"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }
}
