//! Options of the SSH daemon, as it takes them for one login.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::demand::{Comparison, Demand};
use super::seen::{Scale, Seen, not_applicable};
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// An option of the SSH daemon has a value for everybody whom it concerns, `Match` blocks included.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sshd {
    /// The option.
    pub option: SshdOption,
    /// What it must be.
    #[serde(flatten)]
    pub demand: Demand,
    /// Whom it concerns.
    #[serde(default)]
    pub users: SshdUsers,
}

/// Name of an option of the SSH daemon, in lower case as the daemon prints it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct SshdOption(String);

impl SshdOption {
    /// The name as text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether a `Match` block may set the option (`sshd_config`(5)) and the first value wins there.
    /// Of options that collect values, such as `DenyGroups`, a second line would only repeat the first.
    #[must_use]
    pub fn is_per_login(&self) -> bool {
        const PER_LOGIN: [&str; 41] = [
            "allowagentforwarding",
            "allowstreamlocalforwarding",
            "allowtcpforwarding",
            "authenticationmethods",
            "authorizedkeyscommand",
            "authorizedkeyscommanduser",
            "authorizedkeysfile",
            "authorizedprincipalscommand",
            "authorizedprincipalscommanduser",
            "authorizedprincipalsfile",
            "banner",
            "casignaturealgorithms",
            "chrootdirectory",
            "clientalivecountmax",
            "clientaliveinterval",
            "disableforwarding",
            "exposeauthinfo",
            "forcecommand",
            "gatewayports",
            "gssapiauthentication",
            "hostbasedacceptedalgorithms",
            "hostbasedauthentication",
            "hostbasedusesnamefrompacketonly",
            "ignorerhosts",
            "ipqos",
            "kbdinteractiveauthentication",
            "kerberosauthentication",
            "loglevel",
            "maxauthtries",
            "maxsessions",
            "passwordauthentication",
            "permitemptypasswords",
            "permitrootlogin",
            "permittty",
            "permittunnel",
            "permituserrc",
            "pubkeyacceptedalgorithms",
            "pubkeyauthentication",
            "rekeylimit",
            "x11forwarding",
            "x11uselocalhost",
        ];
        PER_LOGIN.contains(&self.as_str())
    }

    /// Says whether the daemon takes the option's list with commas rather than blanks.
    #[must_use]
    pub fn takes_commas(&self) -> bool {
        const COMMAS: [&str; 7] = [
            "casignaturealgorithms",
            "ciphers",
            "hostbasedacceptedalgorithms",
            "hostkeyalgorithms",
            "kexalgorithms",
            "macs",
            "pubkeyacceptedalgorithms",
        ];
        COMMAS.contains(&self.as_str())
    }
}

impl TryFrom<String> for SshdOption {
    type Error = InvalidOption;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // These would run a program that the policy names, or pull in or end what is written after them.
        const REFUSED: [&str; 5] = [
            "authorizedkeyscommand",
            "authorizedprincipalscommand",
            "include",
            "match",
            "subsystem",
        ];
        let name = text.to_ascii_lowercase();
        let fits = (2..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric())
            && !REFUSED.contains(&name.as_str());
        if fits {
            Ok(Self(name))
        } else {
            Err(InvalidOption { text })
        }
    }
}

impl From<SshdOption> for String {
    fn from(option: SshdOption) -> Self {
        option.0
    }
}

impl std::fmt::Display for SshdOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not an option which a policy may set.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is not an option of the SSH daemon that a policy may set", text.escape_debug())]
pub struct InvalidOption {
    text: String,
}

/// Whom an option of the SSH daemon concerns.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SshdUsers {
    /// Root, every researcher, and somebody else.
    #[default]
    Everyone,
    /// Every researcher; somebody else where there is none yet.
    Researchers,
}

/// What the SSH daemon says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SshdFacts {
    /// Its answers, one for each login that was asked about; absent when the daemon is not installed.
    pub answers: Seen<Vec<SshdAnswer>>,
}

/// What the SSH daemon says for one login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SshdAnswer {
    /// The question, as a person would ask it.
    pub question: String,
    /// The option's values: one for each line that names it, none when no line does.
    pub values: Seen<Vec<String>>,
}

impl Sshd {
    pub(super) fn subject(&self) -> String {
        format!("sshd option {}", self.option)
    }

    /// Judges the daemon's answers. It reads its files anew only when it is told to, so that they are
    /// what is configured.
    pub fn judge(&self, facts: &SshdFacts) -> Judgement {
        let expected = format!("{} {}", self.option, self.demand);
        let mut scale = Scale::new(expected.clone());
        match &facts.answers {
            Seen::Absent => return not_applicable(expected, "sshd is not installed"),
            Seen::Found(answers) if answers.is_empty() => scale.unknown("sshd was not asked"),
            Seen::Found(answers) => {
                for answer in answers {
                    self.weigh(answer, &mut scale);
                }
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    fn weigh(&self, answer: &SshdAnswer, scale: &mut Scale) {
        let source = &answer.question;
        match &answer.values {
            Seen::Absent => scale.weigh(Layer::Configured, source, "not set", false),
            Seen::Found(values) => {
                let value = values.join(" ");
                let holds = self.demand.holds(&value, Comparison::Exact);
                scale.weigh(Layer::Configured, source, value, holds);
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
    }

    /// Sets it for everybody.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::SetSshd {
            option: self.option.clone(),
            demand: self.demand.clone(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: &str, values: &[&str]) -> SshdAnswer {
        SshdAnswer {
            question: question.to_owned(),
            values: Seen::Found(values.iter().map(|&value| value.to_owned()).collect()),
        }
    }

    fn word(check: &str, answers: Seen<Vec<SshdAnswer>>) -> &'static str {
        let check: Sshd = toml::from_str(check).unwrap();
        check.judge(&SshdFacts { answers }).verdict.word()
    }

    #[test]
    fn option_must_hold_for_every_login() {
        let check = "option = \"AllowTcpForwarding\"\nequals = \"no\"\nusers = \"researchers\"";
        let (good, bad) = (answer("ada", &["no"]), answer("bob", &["local"]));
        assert_eq!(word(check, Seen::Found(vec![good.clone()])), "pass");
        assert_eq!(word(check, Seen::Found(vec![good.clone(), bad])), "fail");
        let denied = SshdAnswer {
            question: "eve".to_owned(),
            values: Seen::Unreadable("permission denied".to_owned()),
        };
        assert_eq!(word(check, Seen::Found(vec![good, denied])), "unknown");
        assert_eq!(word(check, Seen::Found(vec![])), "unknown");
        assert_eq!(word(check, Seen::Absent), "not applicable");
        assert_eq!(word(check, Seen::NotRunning), "not applicable");
    }

    #[test]
    fn lists_are_judged_by_their_items() {
        let ciphers =
            "option = \"ciphers\"\nsubset-of = [\"aes256-gcm@openssh.com\", \"aes256-ctr\"]";
        let found = |value| Seen::Found(vec![answer("x", &[value])]);
        assert_eq!(word(ciphers, found("aes256-ctr")), "pass");
        assert_eq!(word(ciphers, found("aes256-ctr,3des-cbc")), "fail");
        let denied = "option = \"DenyGroups\"\nincludes = [\"researchers\"]";
        let lines = |lines: &[&str]| Seen::Found(vec![answer("x", lines)]);
        assert_eq!(word(denied, lines(&["guests", "researchers"])), "pass");
        assert_eq!(word(denied, lines(&["researchers2"])), "fail");
    }

    #[test]
    fn options_that_run_programs_or_change_the_file_are_refused() {
        for bad in [
            "Match",
            "Include",
            "AuthorizedKeysCommand",
            "a b",
            "",
            "x\n",
        ] {
            assert!(SshdOption::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
