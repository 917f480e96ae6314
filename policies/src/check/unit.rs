//! Units of systemd.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ini::is_false;
use super::seen::{Scale, Seen, not_applicable};
use crate::names::UnitName;
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A unit runs, or does not, now and after the next boot.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unit {
    /// The unit.
    pub name: UnitName,
    /// How it must be.
    pub want: UnitWant,
    /// Whether a machine without the unit is fine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// How a unit must be.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitWant {
    /// Stopped, and not startable by anything.
    Masked,
    /// Running, and started at boot.
    Running,
    /// Not running, and not started at boot.
    Stopped,
}

/// How a unit is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitFacts {
    /// What the service manager says; absent when it does not know the unit.
    pub effective: Seen<UnitState>,
    /// What the next boot does with it; absent when there is no such unit.
    pub persisted: Seen<UnitFile>,
    /// Where the persisted state was seen.
    pub source: String,
}

/// What a unit is doing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnitState {
    /// It runs, or has done its work.
    Active,
    /// It is about to run.
    Activating,
    /// It tried and failed.
    Failed,
    /// It does not run.
    Inactive,
    /// It is about to stop.
    Stopping,
}

/// What the next boot does with a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UnitFile {
    /// Nothing, unless something asks for it.
    Disabled,
    /// Starts it.
    Enabled,
    /// Refuses to start it, whoever asks.
    Masked,
    /// What other units ask for: it cannot be enabled by itself.
    Static,
}

impl Unit {
    pub(super) fn subject(&self) -> String {
        format!("unit {}", self.name)
    }

    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        (self.want == UnitWant::Running) == (other.want == UnitWant::Running)
    }

    /// Judges the unit. One that is not there is as good as stopped, but not as good as masked, because
    /// it may come with the next package.
    pub fn judge(&self, facts: &UnitFacts) -> Judgement {
        let expected = format!("{} {}", self.name, self.want.word());
        let absent = matches!(facts.persisted, Seen::Absent)
            && matches!(facts.effective, Seen::Absent | Seen::NotRunning);
        if absent && self.optional {
            return not_applicable(expected, format!("there is no `{}`", self.name));
        }
        let mut scale = Scale::new(expected);
        match &facts.effective {
            Seen::Absent => scale.weigh(
                Layer::Effective,
                "systemctl show",
                "not there",
                self.want != UnitWant::Running,
            ),
            Seen::Found(state) => scale.weigh(
                Layer::Effective,
                "systemctl show",
                state.word(),
                self.is_doing_right(*state),
            ),
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        match &facts.persisted {
            Seen::Absent => scale.weigh(
                Layer::Persisted,
                &facts.source,
                "not there",
                self.want == UnitWant::Stopped,
            ),
            Seen::Found(file) => scale.weigh(
                Layer::Persisted,
                &facts.source,
                file.word(),
                self.want.suits(*file),
            ),
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    fn is_doing_right(&self, state: UnitState) -> bool {
        match self.want {
            // The agent is not ready before its first report, which it is just making.
            UnitWant::Running if self.name.as_str() == AGENT => {
                matches!(state, UnitState::Active | UnitState::Activating)
            }
            UnitWant::Running => state == UnitState::Active,
            UnitWant::Masked | UnitWant::Stopped => {
                matches!(state, UnitState::Failed | UnitState::Inactive)
            }
        }
    }

    /// Starts and enables it, stops and disables it, or stops and masks it.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::SetUnit {
            name: self.name.clone(),
            want: self.want,
        }]
    }
}

/// The unit that judges.
const AGENT: &str = "dsvm-agent.service";

impl UnitWant {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }

    /// Says whether what the next boot does is what is wanted.
    #[must_use]
    pub const fn suits(self, file: UnitFile) -> bool {
        match self {
            Self::Masked => matches!(file, UnitFile::Masked),
            Self::Running => matches!(file, UnitFile::Enabled | UnitFile::Static),
            // A static unit is started by those who need it; that it is not running now is all there is.
            Self::Stopped => !matches!(file, UnitFile::Enabled),
        }
    }
}

impl UnitState {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Activating => "activating",
            Self::Failed => "failed",
            Self::Inactive => "inactive",
            Self::Stopping => "deactivating",
        }
    }
}

impl UnitFile {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Masked => "masked",
            Self::Static => "static",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(
        name: &str,
        want: UnitWant,
        effective: Seen<UnitState>,
        persisted: Seen<UnitFile>,
    ) -> &'static str {
        let check = Unit {
            name: name.parse().unwrap(),
            want,
            optional: false,
        };
        let facts = UnitFacts {
            effective,
            persisted,
            source: "systemctl show".to_owned(),
        };
        check.judge(&facts).verdict.word()
    }

    #[test]
    fn unit_must_be_right_now_and_after_the_next_boot() {
        use Seen::{Absent, Found, NotRunning};
        use UnitFile::{Disabled, Enabled, Static};
        use UnitState::{Activating, Active, Failed, Inactive};
        use UnitWant::{Masked, Running, Stopped};
        let table = [
            (Running, Found(Active), Found(Enabled), "pass"),
            (Running, Found(Active), Found(Static), "pass"),
            (Running, Found(Active), Found(Disabled), "fail"),
            (Running, Found(Activating), Found(Enabled), "fail"),
            (Running, Found(Failed), Found(Enabled), "fail"),
            (Running, Absent, Absent, "fail"),
            (Running, NotRunning, Found(Enabled), "pass"),
            (Stopped, Found(Inactive), Found(Disabled), "pass"),
            (Stopped, Found(Inactive), Found(Enabled), "fail"),
            (Stopped, Found(Active), Found(Disabled), "fail"),
            (Stopped, Absent, Absent, "pass"),
            (Masked, Found(Inactive), Found(UnitFile::Masked), "pass"),
            (Masked, Found(Active), Found(UnitFile::Masked), "fail"),
            (Masked, Found(Inactive), Found(Disabled), "fail"),
            (Masked, Absent, Absent, "fail"),
            (
                Masked,
                Seen::Unreadable(String::new()),
                Found(UnitFile::Masked),
                "unknown",
            ),
        ];
        for (want, effective, persisted, expected) in table {
            let found = word("ssh.service", want, effective.clone(), persisted.clone());
            assert_eq!(found, expected, "{want:?} {effective:?} {persisted:?}");
        }
    }

    #[test]
    fn agent_counts_as_running_while_it_makes_its_first_report() {
        let found = word(
            AGENT,
            UnitWant::Running,
            Seen::Found(UnitState::Activating),
            Seen::Found(UnitFile::Enabled),
        );
        assert_eq!(found, "pass");
    }
}
