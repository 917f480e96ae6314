//! Groups that researchers must not be in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Scale, Seen};
use crate::names::PlainName;
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// No researcher is in a group.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Membership {
    /// The group.
    pub group: PlainName,
    /// Who must not be in it.
    pub none_of: Whom,
}

/// Whom a control is about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whom {
    /// Those that the policy's `[researchers]` names.
    Researchers,
}

/// Who is in a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MembershipFacts {
    /// Members of the group, those whose primary group it is included; absent when there is no such group.
    pub members: Seen<Vec<String>>,
    /// The researchers' accounts.
    pub researchers: Seen<Vec<String>>,
}

impl Membership {
    pub(super) fn subject(&self) -> String {
        format!("members of {}", self.group)
    }

    /// Judges the group.
    pub fn judge(&self, facts: &MembershipFacts) -> Judgement {
        const SOURCE: &str = "/etc/group";
        let Whom::Researchers = self.none_of;
        let mut scale = Scale::new(format!("no researcher in {}", self.group));
        match (&facts.members, &facts.researchers) {
            (Seen::Unreadable(cause), _) | (_, Seen::Unreadable(cause)) => scale.unknown(cause),
            (Seen::Found(members), Seen::Found(researchers)) => {
                let both: Vec<&str> = members
                    .iter()
                    .filter(|member| researchers.contains(member))
                    .map(String::as_str)
                    .collect();
                let found = if both.is_empty() {
                    "no researcher".to_owned()
                } else {
                    both.join(", ")
                };
                scale.weigh(Layer::Persisted, SOURCE, found, both.is_empty());
            }
            (Seen::Absent | Seen::NotRunning, _) => {
                scale.weigh(Layer::Persisted, SOURCE, "no such group", true);
            }
            (_, Seen::Absent | Seen::NotRunning) => {
                scale.weigh(Layer::Persisted, SOURCE, "no researchers", true);
            }
        }
        scale.conclude()
    }

    /// Takes the researchers out of the group.
    pub fn remedy(&self, researchers: &[PlainName]) -> Vec<Action> {
        vec![Action::LeaveGroup {
            group: self.group.clone(),
            researchers: researchers.to_vec(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn researcher_in_the_group_deviates() {
        let check: Membership =
            toml::from_str("group = \"docker\"\nnone-of = \"researchers\"").unwrap();
        let names = |names: &[&str]| {
            Seen::Found(
                names
                    .iter()
                    .map(|&name| name.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let table = [
            (names(&["ada"]), names(&["ada", "bob"]), "fail"),
            (names(&["root"]), names(&["ada"]), "pass"),
            (Seen::Absent, names(&["ada"]), "pass"),
            (names(&["ada"]), Seen::Unreadable(String::new()), "unknown"),
            (Seen::Unreadable(String::new()), names(&["ada"]), "unknown"),
        ];
        for (members, researchers, expected) in table {
            let facts = MembershipFacts {
                members,
                researchers,
            };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }
}
