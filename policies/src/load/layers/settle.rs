//! All layers looked at together, and made into a policy.

use crate::check::membership::Whom;
use crate::check::{Check, SshdUsers, SudoersRule};
use crate::contradiction;
use crate::control::ControlId;
use crate::expand;
use crate::load::error::{Error, Problem};
use crate::load::hint;
use crate::load::layers::{Layers, Origin};
use crate::policy::Policy;

impl Layers<'_> {
    /// Expands the sections, looks at the whole, and makes the policy.
    pub(in crate::load) fn settle(mut self) -> Result<Policy, Error> {
        let policy_text = Origin {
            text: 0,
            span: None,
        };
        self.researchers.groups.sort();
        self.researchers.groups.dedup();
        if let Some(egress) = &mut self.egress {
            egress.normalise();
        }
        if let Some(metadata) = &mut self.metadata {
            metadata.normalise();
        }
        self.mounts.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let mut policy = Policy {
            name: self.name.take().unwrap_or_default(),
            researchers: std::mem::take(&mut self.researchers),
            egress: self.egress.take(),
            metadata: self.metadata.take(),
            channels: self.channels.take(),
            mounts: self.mounts.iter().map(|(mount, _)| mount.clone()).collect(),
            controls: self
                .controls
                .values()
                .map(|(control, _)| control.clone())
                .collect(),
            waivers: self
                .waivers
                .values()
                .map(|(waiver, _)| waiver.clone())
                .collect(),
        };
        let made = expand::controls(&policy);
        policy.controls.extend(made);
        policy.controls.sort_by(|a, b| a.id.cmp(&b.id));
        if policy.controls.is_empty() {
            let hint = "extend a baseline, such as `extends = [\"baseline/tre-lockdown\"]`";
            return Err(self.error(&policy_text, Problem::Empty, Some(hint.to_owned())));
        }
        self.agrees(&policy)?;
        Ok(policy)
    }

    /// Refuses a policy whose parts do not fit each other.
    fn agrees(&self, policy: &Policy) -> Result<(), Error> {
        let no_groups = policy.researchers.groups.is_empty();
        if no_groups
            && let Some(control) = policy
                .controls
                .iter()
                .find(|control| is_about_researchers(&control.check))
        {
            let problem = Problem::NoResearchers {
                control: control.id.clone(),
            };
            let hint = "write `[researchers]` with `groups = [\"researchers\"]`".to_owned();
            return Err(self.error(&self.origin(&control.id), problem, Some(hint)));
        }
        if let Some(found) = contradiction::find(&policy.controls) {
            let problem = Problem::Contradiction {
                first: found.first.clone(),
                second: found.second.clone(),
                subject: found.subject,
            };
            let hint = "keep one of them, or let the later one replace the earlier: same id and `override = true`";
            let origin = self.later(&found.first, &found.second);
            return Err(self.error(&origin, problem, Some(hint.to_owned())));
        }
        for (id, (_, origin)) in &self.waivers {
            if policy.control(id).is_none() {
                let known = policy.controls.iter().map(|control| control.id.as_str());
                let hint = hint::nearest(id.as_str(), known)
                    .map(|meant| format!("did you mean `{meant}`?"));
                return Err(self.error(origin, Problem::WaivesNothing { id: id.clone() }, hint));
            }
        }
        Ok(())
    }

    /// Where a control was written; one that a section made counts as the policy's.
    fn origin(&self, id: &ControlId) -> Origin {
        self.controls.get(id).map_or(
            Origin {
                text: 0,
                span: None,
            },
            |(_, origin)| origin.clone(),
        )
    }

    /// Where the later of two controls was written.
    fn later(&self, first: &ControlId, second: &ControlId) -> Origin {
        let (first, second) = (self.origin(first), self.origin(second));
        let order = |origin: &Origin| {
            let rank = self.texts.get(origin.text).map(|text| text.rank);
            (rank, origin.span.as_ref().map(|span| span.start))
        };
        if order(&first) > order(&second) {
            first
        } else {
            second
        }
    }
}

/// Says whether a check asks something of researchers.
fn is_about_researchers(check: &Check) -> bool {
    match check {
        Check::Membership(check) => match check.none_of {
            Whom::Researchers => true,
        },
        // Nobody to deny would make this hold everywhere.
        Check::Sshd(check) if check.option.as_str() == "denygroups" => true,
        Check::Sshd(check) => matches!(check.users, SshdUsers::Researchers),
        Check::Sudoers(check) => matches!(check.rule, SudoersRule::NoResearchers),
        _ => false,
    }
}
