//! What a build would do, and why. Decided from facts; nothing is done.

use serde::Serialize;

/// One step of a build.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// Whether it has to be done.
    pub needed: bool,
    /// Why, or why not.
    pub why: String,
}

/// The steps of a build, in order.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// What is known before a build.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether there is a lock.
    pub locked: bool,
    /// What the lock pins differently from what is there now.
    pub stale: Vec<String>,
    /// The binaries that have no receipt yet.
    pub unstaged: Vec<String>,
    /// How many binaries the recipe has.
    pub binaries: usize,
    /// Whether the final image is there, untouched and made from this lock.
    pub built: bool,
    /// What an interrupted build has left.
    pub left: Left,
}

/// What an interrupted build has left.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Left {
    /// Nothing that can be used.
    #[default]
    Nothing,
    /// The engine's disk.
    Disk,
    /// The VHD.
    Vhd,
}

impl Plan {
    /// Decides what a build would do.
    pub fn decide(facts: &Facts) -> Self {
        let current = facts.locked && facts.stale.is_empty();
        let built = current && facts.built;
        let engine = current && facts.left >= Left::Disk;
        let convert = current && facts.left >= Left::Vhd;
        let made = |done: bool, why: &str, left: &str| {
            let why = if built {
                "the image is up to date"
            } else if done {
                left
            } else {
                why
            };
            (!built && !done, why.to_owned())
        };
        let lock = if !facts.locked {
            (true, "there is no lock".to_owned())
        } else if facts.stale.is_empty() {
            (false, "the lock is up to date".to_owned())
        } else {
            (
                true,
                format!("the lock is out of date: {}", facts.stale.join(", ")),
            )
        };
        let stage = if facts.unstaged.is_empty() {
            (
                false,
                format!("{} binaries have their receipts", facts.binaries),
            )
        } else {
            (
                true,
                format!("no receipt for {}", facts.unstaged.join(", ")),
            )
        };
        let why = if current {
            "there is no image of this lock"
        } else {
            "the lock changes"
        };
        let left = "an interrupted build has left it";
        let steps = [
            ("lock", lock),
            ("stage", stage),
            ("base", made(engine, why, left)),
            ("engine", made(engine, why, left)),
            ("convert", made(convert, why, left)),
            ("gate", made(false, why, left)),
            ("custody", made(false, why, left)),
        ];
        let step = |(name, (needed, why))| Step { name, needed, why };
        Self {
            steps: steps.map(step).into(),
        }
    }

    /// Says whether there is anything to do.
    pub fn has_changes(&self) -> bool {
        self.steps.iter().any(|step| step.needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(facts: &Facts) -> Vec<&'static str> {
        let plan = Plan::decide(facts);
        plan.steps
            .iter()
            .filter(|step| step.needed)
            .map(|step| step.name)
            .collect()
    }

    #[test]
    fn what_is_done_is_not_done_again() {
        let locked = Facts {
            locked: true,
            ..Facts::default()
        };
        let rest = ["base", "engine", "convert", "gate", "custody"];
        assert_eq!(needed(&locked), rest);
        assert_eq!(
            needed(&Facts {
                left: Left::Disk,
                ..locked.clone()
            }),
            rest[2..]
        );
        assert_eq!(
            needed(&Facts {
                left: Left::Vhd,
                ..locked.clone()
            }),
            rest[3..]
        );
        let built = Facts {
            built: true,
            ..locked
        };
        assert!(!Plan::decide(&built).has_changes());
    }

    #[test]
    fn nothing_made_from_another_lock_counts() {
        let stale = Facts {
            locked: true,
            stale: vec!["recipe".to_owned()],
            built: true,
            left: Left::Vhd,
            ..Facts::default()
        };
        assert_eq!(
            needed(&stale),
            ["lock", "base", "engine", "convert", "gate", "custody"]
        );
        assert_eq!(needed(&Facts::default())[0], "lock");
    }
}
