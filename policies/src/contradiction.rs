//! Demands that cannot both hold.
//!
//! Two controls that want different values of one thing would undo each other at every enforcement, and
//! whichever came last would look right. Such a policy is refused.

use std::collections::BTreeMap;

use crate::control::{Control, ControlId};

/// Two controls that cannot both hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Contradiction {
    pub(crate) first: ControlId,
    pub(crate) second: ControlId,
    /// What both are about.
    pub(crate) subject: String,
}

/// The first contradiction among controls, in their order.
pub(crate) fn find(controls: &[Control]) -> Option<Contradiction> {
    let mut by_subject: BTreeMap<String, Vec<&Control>> = BTreeMap::new();
    for control in controls {
        let subject = control.check.subject();
        let others = by_subject.entry(subject.clone()).or_default();
        let against = others
            .iter()
            .find(|other| !other.check.agrees_with(&control.check));
        if let Some(other) = against {
            return Some(Contradiction {
                first: other.id.clone(),
                second: control.id.clone(),
                subject,
            });
        }
        // An equal demand adds nothing that a third one could disagree with.
        if !others.iter().any(|other| other.check == control.check) {
            others.push(control);
        }
    }
    None
}
