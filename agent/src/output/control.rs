//! One control, for people.

use policies::control::{Control, Phase, Reference};
use policies::plan::Action;
use policies::report::Finding;
use policies::verdict::Grade;
use serde::Serialize;

use crate::output::report::row;
use crate::output::{STRONG, field, harmless, line, severity, styled};

/// A control, what mends it, and how it stands.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    /// The control.
    pub(crate) control: Control,
    /// What enforcing does when it deviates.
    pub(crate) remedy: Vec<Action>,
    /// How it stands on this machine.
    pub(crate) finding: Option<Finding>,
}

impl Told {
    /// The control for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let control = &self.control;
        line(
            &mut text,
            &styled(
                STRONG,
                format!("{}  {}", control.id, harmless(&control.title)),
            ),
        );
        text.push('\n');
        for paragraph in control.rationale.lines() {
            line(&mut text, &harmless(paragraph));
        }
        text.push('\n');
        let references: Vec<_> = control.references.iter().map(Reference::as_str).collect();
        field(&mut text, 2, "severity", severity(control.severity));
        field(&mut text, 2, "binds", grade(control.grade));
        field(&mut text, 2, "from", phase(control.phase));
        if !references.is_empty() {
            field(&mut text, 2, "serves", &references.join(", "));
        }
        field(
            &mut text,
            2,
            "checks",
            &format!("{}: {}", control.check.kind(), control.check.subject()),
        );
        if self.remedy.is_empty() {
            field(
                &mut text,
                2,
                "remedy",
                "none that a program should choose: mend it by hand",
            );
        }
        for action in &self.remedy {
            field(&mut text, 2, "remedy", &action.to_string());
        }
        text.push('\n');
        if let Some(finding) = &self.finding {
            row(&mut text, finding, Phase::Vm, control.id.as_str().len());
        }
        text
    }
}

const fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Advisory => "advisory: a process of the researcher's could be talked out of it",
        Grade::Enforced => "enforced: by the kernel or a daemon that the researcher does not own",
        Grade::Network => "network: only the control plane can tell",
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Image => "the image on",
        Phase::Vm => "the deployed VM on",
    }
}
