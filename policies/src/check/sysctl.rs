//! Kernel parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::demand::{Comparison, Demand};
use super::seen::{Located, Scale, Seen};
use crate::names::SysctlKey;
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A kernel parameter has a value, now and after the next boot.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sysctl {
    /// The parameter.
    pub key: SysctlKey,
    /// What it must be.
    #[serde(flatten)]
    pub demand: Demand,
}

/// What a kernel parameter is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SysctlFacts {
    /// In the running kernel.
    pub effective: Seen<Located>,
    /// In the files that the next boot reads; the one that wins.
    pub persisted: Seen<Located>,
}

impl Sysctl {
    pub(super) fn subject(&self) -> String {
        format!("kernel parameter {}", self.key)
    }

    /// Judges the parameter. One that the kernel does not have deviates: what it guards is not guarded.
    pub fn judge(&self, facts: &SysctlFacts) -> Judgement {
        let holds = |value: &str| self.demand.holds(value, Comparison::Exact);
        let mut scale = Scale::new(format!("{} = {}", self.key, self.demand));
        let kernel = format!("/proc/sys/{}", self.key.as_str().replace('.', "/"));
        match &facts.effective {
            Seen::Absent => scale.weigh(Layer::Effective, kernel, "no such parameter", false),
            seen => scale.value(Layer::Effective, seen, &kernel, holds),
        }
        scale.value(Layer::Persisted, &facts.persisted, "sysctl.d", holds);
        scale.conclude()
    }

    /// Sets it, now and for the next boot.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::SetSysctl {
            key: self.key.clone(),
            demand: self.demand.clone(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    fn seen(value: &str) -> Seen<Located> {
        Seen::Found(Located::new(value, "x:1"))
    }

    #[test]
    fn parameter_must_hold_now_and_after_the_next_boot() {
        let check: Sysctl = toml::from_str("key = \"kernel.kptr_restrict\"\nat-least = 2").unwrap();
        let denied = || Seen::Unreadable("permission denied".to_owned());
        let table = [
            (seen("2"), seen("2"), "pass"),
            (seen("1"), seen("2"), "fail"),
            (seen("2"), seen("1"), "fail"),
            (seen("2"), Seen::Absent, "fail"),
            (Seen::Absent, seen("2"), "fail"),
            (Seen::NotRunning, seen("2"), "pass"),
            (Seen::NotRunning, seen("0"), "fail"),
            (denied(), seen("2"), "unknown"),
            (seen("2"), denied(), "unknown"),
            (denied(), seen("0"), "fail"),
        ];
        for (effective, persisted, expected) in table {
            let facts = SysctlFacts {
                effective,
                persisted,
            };
            assert_eq!(check.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }

    #[test]
    fn judgement_says_which_layer_deviates() {
        let check: Sysctl =
            toml::from_str("key = \"kernel.kptr_restrict\"\nequals = \"2\"").unwrap();
        let judgement = check.judge(&SysctlFacts {
            effective: seen("2"),
            persisted: Seen::Found(Located::new("0", "/etc/sysctl.d/60-x.conf:3")),
        });
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.found, "0");
        assert_eq!(judgement.evidence[1].source, "/etc/sysctl.d/60-x.conf:3");
    }

    #[test]
    fn unknown_words_are_refused() {
        assert!(toml::from_str::<Sysctl>("key = \"a.b\"\nequals = \"1\"\nvalue = 2").is_err());
        assert!(toml::from_str::<Sysctl>("key = \"a.b\"").is_err());
    }
}
