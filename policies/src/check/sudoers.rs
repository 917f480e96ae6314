//! What `sudo` allows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seen::{Located, Scale, Seen, not_applicable};
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};
use grammar::{Entry, Privilege};

mod grammar;

/// A rule over everything that `sudo` reads.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sudoers {
    /// The rule.
    pub rule: SudoersRule,
}

/// A rule over everything that `sudo` reads.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum SudoersRule {
    /// Nobody gets more rights without a password.
    NoNopasswd,
    /// No researcher gets more rights.
    NoResearchers,
    /// Programs run in a terminal of their own, so that they cannot write into the caller's.
    UsePty,
}

/// What `sudo` reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SudoersFacts {
    /// The lines of `/etc/sudoers` and of all that it includes, in the order in which they are read,
    /// continued lines joined, comments left out; absent when `sudo` is not installed.
    pub lines: Seen<Vec<Located>>,
    /// The researchers' accounts and groups.
    pub researchers: Seen<People>,
}

/// Accounts and groups.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct People {
    /// Names of accounts.
    pub accounts: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
}

impl SudoersRule {
    /// The rule in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoNopasswd => "sudo always asks for a password",
            Self::NoResearchers => "no researcher may use sudo",
            Self::UsePty => "sudo uses a terminal of its own",
        }
    }
}

impl Sudoers {
    pub(super) fn subject(&self) -> String {
        format!("sudoers: {}", self.rule.words())
    }

    /// Judges what `sudo` reads. A line that is not understood makes the verdict unknown.
    pub fn judge(&self, facts: &SudoersFacts) -> Judgement {
        let expected = self.rule.words();
        let mut scale = Scale::new(expected);
        let lines = match &facts.lines {
            Seen::Absent => return not_applicable(expected, "sudo is not installed"),
            Seen::Found(lines) => lines,
            Seen::NotRunning => return scale.conclude(),
            Seen::Unreadable(cause) => {
                scale.unknown(cause);
                return scale.conclude();
            }
        };
        let mut entries = Vec::new();
        for line in lines {
            match grammar::parse(&line.value) {
                Some(entry) => entries.push((line, entry)),
                None => scale.unknown(format!("{}: not understood: {}", line.source, line.value)),
            }
        }
        match self.rule {
            SudoersRule::NoNopasswd => no_nopasswd(&entries, &mut scale),
            SudoersRule::NoResearchers => match &facts.researchers {
                Seen::Found(people) => no_researchers(&entries, people, &mut scale),
                Seen::Absent | Seen::NotRunning => {
                    scale.note(Layer::Configured, "/etc/group", "no researchers");
                }
                Seen::Unreadable(cause) => scale.unknown(cause),
            },
            SudoersRule::UsePty => use_pty(&entries, &mut scale),
        }
        scale.conclude()
    }

    /// Sets the terminal; whose rights to take away only people can say.
    pub fn remedy(&self) -> Vec<Action> {
        match self.rule {
            SudoersRule::UsePty => vec![Action::RequirePty],
            SudoersRule::NoNopasswd | SudoersRule::NoResearchers => Vec::new(),
        }
    }
}

type Entries<'a> = [(&'a Located, Entry)];

fn no_nopasswd(entries: &Entries<'_>, scale: &mut Scale) {
    let mut bad = false;
    for (line, entry) in entries {
        let without = match entry {
            Entry::Defaults(defaults) => defaults.turn_off("authenticate"),
            Entry::Privilege(privilege) => privilege.without_password,
            Entry::Alias { .. } => false,
        };
        if without {
            bad = true;
            scale.weigh(Layer::Configured, &line.source, &line.value, false);
        }
    }
    if !bad {
        scale.note(Layer::Configured, "/etc/sudoers", "no NOPASSWD");
    }
}

fn use_pty(entries: &Entries<'_>, scale: &mut Scale) {
    let mut set = None;
    for (line, entry) in entries {
        let Entry::Defaults(defaults) = entry else {
            continue;
        };
        if defaults.turn_off("use_pty") {
            // Also one that is for some people or hosts only takes it from them.
            scale.weigh(Layer::Configured, &line.source, &line.value, false);
        } else if defaults.turn_on("use_pty") {
            set = Some(line);
        }
    }
    match set {
        Some(line) => scale.weigh(Layer::Configured, &line.source, &line.value, true),
        None => scale.weigh(
            Layer::Configured,
            "/etc/sudoers",
            "use_pty is not set",
            false,
        ),
    }
}

fn no_researchers(entries: &Entries<'_>, people: &People, scale: &mut Scale) {
    let aliases = grammar::user_aliases(entries.iter().map(|(_, entry)| entry));
    let mut bad = false;
    for (line, entry) in entries {
        if let Entry::Privilege(Privilege { users, .. }) = entry
            && grammar::reaches(users, people, &aliases)
        {
            bad = true;
            scale.weigh(Layer::Configured, &line.source, &line.value, false);
        }
    }
    if !bad {
        scale.note(Layer::Configured, "/etc/sudoers", "no researcher");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(rule: SudoersRule, lines: &[&str]) -> &'static str {
        let line =
            |(number, line): (usize, &&str)| Located::new(*line, format!("/etc/sudoers:{number}"));
        let facts = SudoersFacts {
            lines: Seen::Found(lines.iter().enumerate().map(line).collect()),
            researchers: Seen::Found(People {
                accounts: vec!["ada".to_owned()],
                groups: vec!["researchers".to_owned()],
            }),
        };
        Sudoers { rule }.judge(&facts).verdict.word()
    }

    const DEBIAN: [&str; 4] = [
        "Defaults\tenv_reset",
        "Defaults\tsecure_path=\"/usr/local/sbin:/usr/local/bin\"",
        "root\tALL=(ALL:ALL) ALL",
        "%sudo\tALL=(ALL:ALL) ALL",
    ];

    #[test]
    fn rights_without_password_deviate() {
        use SudoersRule::NoNopasswd;
        assert_eq!(word(NoNopasswd, &DEBIAN), "pass");
        for line in [
            "ubuntu ALL=(ALL) NOPASSWD:ALL",
            "ubuntu ALL=(ALL) NOPASSWD: ALL",
            "ubuntu ALL=/bin/a, NOEXEC: NOPASSWD: /bin/b",
            "Defaults !authenticate",
            "Defaults:ubuntu env_reset, !authenticate",
        ] {
            assert_eq!(word(NoNopasswd, &[line]), "fail", "{line}");
        }
        // A word in a command is not a tag.
        assert_eq!(word(NoNopasswd, &["ada ALL=/bin/echo NOPASSWD"]), "pass");
        assert_eq!(word(NoNopasswd, &["what is this"]), "unknown");
    }

    #[test]
    fn terminal_must_be_set_and_stay_set() {
        use SudoersRule::UsePty;
        assert_eq!(word(UsePty, &DEBIAN), "fail");
        assert_eq!(word(UsePty, &["Defaults env_reset, use_pty"]), "pass");
        assert_eq!(
            word(UsePty, &["Defaults use_pty", "Defaults:ada !use_pty"]),
            "fail"
        );
        assert_eq!(word(UsePty, &["Defaults:ada use_pty"]), "fail");
    }

    #[test]
    fn researchers_have_no_rights_however_they_are_named() {
        use SudoersRule::NoResearchers;
        assert_eq!(word(NoResearchers, &DEBIAN), "pass");
        for lines in [
            &["ada ALL=(ALL) ALL"][..],
            &["bob, ada ALL=/bin/ls"],
            &["%researchers ALL=(root) /bin/ls"],
            &["ALL ALL=(ALL) ALL"],
            &["User_Alias LAB = bob, %researchers", "LAB ALL=ALL"],
            &["User_Alias A = B", "User_Alias B = ada", "A ALL=ALL"],
            &["#1000 ALL=ALL"],
        ] {
            assert_eq!(word(NoResearchers, lines), "fail", "{lines:?}");
        }
        assert_eq!(
            word(NoResearchers, &["ALL, !ada, !%researchers ALL=ALL"]),
            "fail"
        );
    }
}
