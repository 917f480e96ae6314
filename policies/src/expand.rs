//! Sections, written for people, turned into controls.

use crate::check::Check;
use crate::control::{Control, ControlId, Phase, Reference, Severity};
use crate::policy::Policy;
use crate::verdict::Grade;

/// What may cross the remote desktop.
mod channels;
/// Where the machine may send packets.
mod egress;
/// The secure storage that the machine mounts.
mod mounts;

/// The section that makes the controls of an area, if one does.
pub(crate) fn section_of(area: &str) -> Option<&'static str> {
    match area {
        "CHAN" => Some("[channels]"),
        "EGRESS" => Some("[egress]"),
        "META" => Some("[metadata]"),
        "MOUNT" => Some("[[mount]]"),
        _ => None,
    }
}

/// The controls that a policy's sections stand for.
pub(crate) fn controls(policy: &Policy) -> Vec<Control> {
    let drafts = [
        channels::expand(policy),
        egress::expand(policy),
        mounts::expand(policy),
    ];
    drafts.into_iter().flatten().map(Draft::finish).collect()
}

/// A control that a section makes.
struct Draft {
    id: String,
    title: String,
    severity: Severity,
    rationale: &'static str,
    references: &'static [&'static str],
    phase: Phase,
    grade: Grade,
    check: Check,
}

impl Draft {
    #[expect(
        clippy::expect_used,
        reason = "ids and references are written in this module, and a test expands every section"
    )]
    fn finish(self) -> Control {
        let reference = |text: &&str| {
            Reference::try_from((*text).to_owned()).expect("sections name known standards")
        };
        Control {
            id: ControlId::try_from(self.id).expect("sections make valid ids"),
            title: self.title,
            severity: self.severity,
            rationale: self.rationale.to_owned(),
            references: self.references.iter().map(reference).collect(),
            phase: self.phase,
            grade: self.grade,
            check: self.check,
        }
    }
}
