//! What a value must be.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a value must be: exactly one of the words `equals`, `one-of`, `at-least`, `at-most`, `includes`,
/// `subset-of`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(try_from = "Words", into = "Words")]
#[schemars(with = "Words")]
pub enum Demand {
    /// A number that is this or more.
    AtLeast(i64),
    /// A number that is this or less.
    AtMost(i64),
    /// This value.
    Equals(String),
    /// A list, separated by commas or blanks, that has all of these.
    Includes(Vec<String>),
    /// One of these values; the first is the one that enforcing chooses.
    OneOf(Vec<String>),
    /// A list, separated by commas or blanks, of nothing but these.
    SubsetOf(Vec<String>),
}

/// The words of a demand, of which exactly one is said.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Demand")]
struct Words {
    /// A number that is this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<i64>,
    /// A number that is this or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<i64>,
    /// This value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<String>,
    /// A list, separated by commas or blanks, that has all of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    includes: Option<Vec<String>>,
    /// One of these values; the first is the one that enforcing chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    one_of: Option<Vec<String>>,
    /// A list, separated by commas or blanks, of nothing but these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subset_of: Option<Vec<String>>,
}

impl TryFrom<Words> for Demand {
    type Error = InvalidDemand;

    fn try_from(words: Words) -> Result<Self, Self::Error> {
        let mut said = [
            words.at_least.map(Self::AtLeast),
            words.at_most.map(Self::AtMost),
            words.equals.map(Self::Equals),
            words.includes.map(Self::Includes),
            words.one_of.map(Self::OneOf),
            words.subset_of.map(Self::SubsetOf),
        ]
        .into_iter()
        .flatten();
        let (Some(demand), None) = (said.next(), said.next()) else {
            return Err(InvalidDemand::NotOne);
        };
        demand.check()
    }
}

impl From<Demand> for Words {
    fn from(demand: Demand) -> Self {
        let mut words = Self::default();
        match demand {
            Demand::AtLeast(least) => words.at_least = Some(least),
            Demand::AtMost(most) => words.at_most = Some(most),
            Demand::Equals(value) => words.equals = Some(value),
            Demand::Includes(values) => words.includes = Some(values),
            Demand::OneOf(values) => words.one_of = Some(values),
            Demand::SubsetOf(values) => words.subset_of = Some(values),
        }
        words
    }
}

/// Why a demand is not one.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDemand {
    /// A list of values is empty: nothing could satisfy it.
    #[error("the list of values is empty")]
    Empty,
    /// A value has a line break or another control character in it: it could smuggle in a second setting.
    #[error("`{value}` has a control character in it")]
    Control {
        /// The value, escaped.
        value: String,
    },
    /// None or more than one of the words is said.
    #[error(
        "exactly one of `equals`, `one-of`, `at-least`, `at-most`, `includes`, `subset-of` is needed"
    )]
    NotOne,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// As numbers when both are, else as words separated by blanks.
    Exact,
    /// Like `Exact`, without regard to case, and `yes`, `true`, `on`, `1` (or their opposites) are the same.
    Loose,
}

impl Demand {
    fn check(self) -> Result<Self, InvalidDemand> {
        let values = match &self {
            Self::AtLeast(_) | Self::AtMost(_) => return Ok(self),
            Self::Equals(value) => std::slice::from_ref(value),
            Self::Includes(values) | Self::OneOf(values) | Self::SubsetOf(values) => values,
        };
        if values.is_empty() {
            return Err(InvalidDemand::Empty);
        }
        match values
            .iter()
            .find(|value| value.chars().any(char::is_control))
        {
            Some(value) => Err(InvalidDemand::Control {
                value: value.escape_debug().to_string(),
            }),
            None => Ok(self),
        }
    }

    /// Says whether a value is as demanded.
    #[must_use]
    pub fn holds(&self, value: &str, comparison: Comparison) -> bool {
        match self {
            Self::AtLeast(least) => number(value).is_some_and(|value| value >= *least),
            Self::AtMost(most) => number(value).is_some_and(|value| value <= *most),
            Self::Equals(wanted) => comparison.same(wanted, value),
            Self::Includes(wanted) => wanted
                .iter()
                .all(|wanted| items(value).any(|item| comparison.same(wanted, item))),
            Self::OneOf(wanted) => wanted.iter().any(|wanted| comparison.same(wanted, value)),
            Self::SubsetOf(wanted) => {
                let mut items = items(value).peekable();
                items.peek().is_some()
                    && items.all(|item| wanted.iter().any(|wanted| comparison.same(wanted, item)))
            }
        }
    }

    /// The value that enforcing sets.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::AtLeast(number) | Self::AtMost(number) => number.to_string(),
            Self::Equals(value) => value.clone(),
            Self::Includes(values) => values.join(" "),
            Self::OneOf(values) => values.first().cloned().unwrap_or_default(),
            Self::SubsetOf(values) => values.join(","),
        }
    }

    /// Says whether one value can satisfy both demands, and enforcing either leaves the other satisfied.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let (a, b) = (self.value(), other.value());
        // One of the two values that enforcing sets satisfies both: then it is the one that stays.
        (self.holds(&b, Comparison::Loose) && other.holds(&b, Comparison::Loose))
            || (self.holds(&a, Comparison::Loose) && other.holds(&a, Comparison::Loose))
    }
}

impl Comparison {
    fn same(self, wanted: &str, found: &str) -> bool {
        if let (Some(wanted), Some(found)) = (number(wanted), number(found)) {
            return wanted == found;
        }
        match self {
            Self::Exact => wanted.split_whitespace().eq(found.split_whitespace()),
            Self::Loose => match (truth(wanted), truth(found)) {
                (Some(wanted), Some(found)) => wanted == found,
                (None, None) => wanted.trim().eq_ignore_ascii_case(found.trim()),
                _ => false,
            },
        }
    }
}

fn number(value: &str) -> Option<i64> {
    value.trim().parse().ok()
}

fn truth(value: &str) -> Option<bool> {
    let value = value.trim();
    let is = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    if is(&["1", "true", "yes", "on"]) {
        Some(true)
    } else if is(&["0", "false", "no", "off"]) {
        Some(false)
    } else {
        None
    }
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|item| !item.is_empty())
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::Equals(value) if value.is_empty() => write!(f, "empty"),
            Self::Equals(value) => write!(f, "{value}"),
            Self::Includes(values) => write!(f, "with {}", values.join(", ")),
            Self::OneOf(values) => write!(f, "one of {}", values.join(", ")),
            Self::SubsetOf(values) => write!(f, "nothing but {}", values.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equals(value: &str) -> Demand {
        Demand::Equals(value.to_owned())
    }

    fn list(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn values_are_compared_as_what_they_are() {
        use Comparison::{Exact, Loose};
        let table = [
            (equals("1"), "1", Exact, true),
            (equals("1"), "01", Exact, true),
            (equals("1"), "10", Exact, false),
            (
                equals("4096 131072 6291456"),
                "4096\t131072\t6291456",
                Exact,
                true,
            ),
            (equals("false"), "no", Exact, false),
            (equals("false"), "No", Loose, true),
            (equals("false"), "disabled", Loose, false),
            (equals("none"), "NONE", Loose, true),
            (equals(""), "", Exact, true),
            (Demand::AtLeast(2), "2", Exact, true),
            (Demand::AtLeast(2), "1", Exact, false),
            (Demand::AtLeast(2), "two", Exact, false),
            (Demand::AtMost(4), "4", Exact, true),
            (Demand::AtMost(4), "", Exact, false),
            (Demand::OneOf(list(&["no", "local"])), "local", Exact, true),
            (Demand::OneOf(list(&["no", "local"])), "all", Exact, false),
            (Demand::SubsetOf(list(&["a", "b"])), "b,a", Exact, true),
            (Demand::SubsetOf(list(&["a", "b"])), "a c", Exact, false),
            (Demand::SubsetOf(list(&["a", "b"])), "", Exact, false),
        ];
        for (demand, value, comparison, expected) in table {
            assert_eq!(
                demand.holds(value, comparison),
                expected,
                "{demand:?} {value:?}"
            );
        }
    }

    #[test]
    fn demands_agree_when_one_value_serves_both() {
        let table = [
            (equals("1"), equals("0"), false),
            (equals("2"), Demand::AtLeast(1), true),
            (equals("0"), Demand::AtLeast(1), false),
            (Demand::AtMost(3), Demand::AtMost(4), true),
            (Demand::AtMost(3), Demand::AtLeast(4), false),
        ];
        for (a, b, expected) in table {
            assert_eq!(a.agrees_with(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.agrees_with(&a), expected, "{b:?} {a:?}");
        }
    }

    #[test]
    fn demand_has_exactly_one_word() {
        for bad in [
            "",
            "equals = \"1\"\nat-least = 1",
            "one-of = []",
            "equals = \"a\\nb\"",
            "least = 1",
        ] {
            assert!(toml::from_str::<Demand>(bad).is_err(), "{bad}");
        }
        assert_eq!(
            toml::from_str::<Demand>("equals = \"1\"").unwrap(),
            equals("1")
        );
    }
}
