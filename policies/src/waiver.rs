//! Exceptions that somebody answers for, until a day.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::ControlId;

/// An exception from one control. It is shown in every report, and ends by itself.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Waiver {
    /// The control that is waived.
    pub control: ControlId,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub approver: String,
    /// Where it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The last day on which it holds (UTC).
    #[serde(with = "day")]
    #[schemars(with = "String")]
    pub expires: Date,
}

impl Waiver {
    /// Says whether the waiver still holds on a day (UTC).
    #[must_use]
    pub fn holds_on(&self, today: Date) -> bool {
        today <= self.expires
    }
}

/// A day, written as a TOML local date (`2027-01-31`) or as the same in quotes.
mod day {
    use jiff::civil::Date;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference"
    )]
    pub(super) fn serialize<S: Serializer>(day: &Date, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(day)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Day {
            Text(String),
            Toml(toml::value::Datetime),
        }
        let text = match Day::deserialize(from)? {
            Day::Text(text) => text,
            Day::Toml(datetime) => datetime.to_string(),
        };
        text.parse().map_err(|error| {
            serde::de::Error::custom(format!("`{text}` is not a day such as 2027-01-31: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(expires: &str) -> Result<Waiver, toml::de::Error> {
        toml::from_str(&format!(
            "control = \"KRN-004\"\nreason = \"x\"\napprover = \"y\"\nexpires = {expires}"
        ))
    }

    #[test]
    fn waiver_holds_through_its_last_day_and_no_longer() {
        let waiver = waiver("2027-01-31").unwrap();
        assert!(waiver.holds_on("2027-01-31".parse().unwrap()));
        assert!(!waiver.holds_on("2027-02-01".parse().unwrap()));
    }

    #[test]
    fn expiry_is_a_day() {
        assert!(waiver("\"2027-01-31\"").is_ok());
        assert!(waiver("\"soon\"").is_err());
        assert!(waiver("2027-01-31T10:00:00Z").is_err());
    }
}
