//! What was seen, and how it is put together into a judgement.

use crate::verdict::{Evidence, Judgement, Layer, Verdict};

/// What came of looking for something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen<T> {
    /// It is not there.
    Absent,
    /// It is there.
    Found(T),
    /// Only a running machine has it, and this one is not running.
    NotRunning,
    /// It could not be read; says why. Never treated like absent.
    Unreadable(String),
}

/// A value, and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Located {
    /// The value.
    pub value: String,
    /// Where it stands: a file with its line, a kernel file, a program.
    pub source: String,
}

impl Located {
    /// A value at a place.
    pub fn new(value: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            source: source.into(),
        }
    }
}

impl<T> Seen<T> {
    /// Changes what was found, and leaves the rest.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Absent => Seen::Absent,
            Self::Found(found) => Seen::Found(change(found)),
            Self::NotRunning => Seen::NotRunning,
            Self::Unreadable(cause) => Seen::Unreadable(cause),
        }
    }

    /// Borrows what was found.
    pub fn as_ref(&self) -> Seen<&T> {
        match self {
            Self::Absent => Seen::Absent,
            Self::Found(found) => Seen::Found(found),
            Self::NotRunning => Seen::NotRunning,
            Self::Unreadable(cause) => Seen::Unreadable(cause.clone()),
        }
    }
}

/// Collects what was seen of one check and concludes.
///
/// One deviation makes the verdict `fail`, also when something else could not be read; what could not be
/// read makes it `unknown`; when nothing at all was looked at it is not applicable, since only a machine
/// that is not running leaves nothing to look at.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    expected: String,
    deviates: bool,
    found: Vec<String>,
    causes: Vec<String>,
    evidence: Vec<Evidence>,
}

impl Scale {
    pub(crate) fn new(expected: impl Into<String>) -> Self {
        Self {
            expected: expected.into(),
            deviates: false,
            found: Vec::new(),
            causes: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Weighs one thing that was seen.
    pub(crate) fn weigh(
        &mut self,
        layer: Layer,
        source: impl Into<String>,
        found: impl Into<String>,
        holds: bool,
    ) {
        let found = found.into();
        self.note(layer, source, found.clone());
        if holds {
            return;
        }
        self.deviates = true;
        self.found.push(found);
    }

    /// Shows one thing that was seen without weighing it.
    pub(crate) fn note(
        &mut self,
        layer: Layer,
        source: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.evidence.push(Evidence {
            layer,
            source: source.into(),
            found: found.into(),
        });
    }

    /// Notes that something could not be read.
    pub(crate) fn unknown(&mut self, cause: impl Into<String>) {
        self.causes.push(cause.into());
    }

    /// Weighs a value that must be there.
    pub(crate) fn value(
        &mut self,
        layer: Layer,
        seen: &Seen<Located>,
        place: &str,
        holds: impl Fn(&str) -> bool,
    ) {
        match seen {
            Seen::Absent => self.weigh(layer, place, "not set", false),
            Seen::Found(Located { value, source }) => {
                self.weigh(layer, source, value, holds(value));
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => self.unknown(cause),
        }
    }

    pub(crate) fn conclude(mut self) -> Judgement {
        self.found.dedup();
        let seen = || {
            let mut all: Vec<&str> = self.evidence.iter().map(|e| e.found.as_str()).collect();
            all.dedup();
            all.join("; ")
        };
        let (verdict, found) = if self.deviates {
            (Verdict::Fail, self.found.join("; "))
        } else if !self.causes.is_empty() {
            let cause = self.causes.join("; ");
            (Verdict::Unknown { cause }, "could not be read".to_owned())
        } else if self.evidence.is_empty() {
            return not_applicable(self.expected, NEEDS_RUNNING);
        } else {
            (Verdict::Pass, seen())
        };
        Judgement {
            verdict,
            expected: self.expected,
            found,
            evidence: self.evidence,
        }
    }
}

/// Why a check of the running machine has no meaning on an image.
pub(crate) const NEEDS_RUNNING: &str = "needs a running machine";

/// The judgement that a check has no meaning here.
pub(crate) fn not_applicable(expected: impl Into<String>, reason: impl Into<String>) -> Judgement {
    let reason = reason.into();
    Judgement {
        found: reason.clone(),
        verdict: Verdict::NotApplicable { reason },
        expected: expected.into(),
        evidence: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviation_outweighs_what_could_not_be_read() {
        let mut scale = Scale::new("1");
        scale.unknown("permission denied");
        scale.weigh(Layer::Effective, "/proc/x", "0", false);
        let judgement = scale.conclude();
        assert_eq!(judgement.verdict, Verdict::Fail);
        assert_eq!(judgement.found, "0");
    }

    #[test]
    fn what_could_not_be_read_is_not_a_pass() {
        let mut scale = Scale::new("1");
        scale.weigh(Layer::Effective, "/proc/x", "1", true);
        scale.unknown("permission denied");
        assert!(matches!(scale.conclude().verdict, Verdict::Unknown { .. }));
    }

    #[test]
    fn nothing_seen_is_not_a_pass() {
        let judgement = Scale::new("1").conclude();
        assert!(matches!(judgement.verdict, Verdict::NotApplicable { .. }));
    }
}
