//! What would be done.

use policies::plan::{Plan, Step};
use policies::report::Finding;
use serde::Serialize;

use crate::output::report::details;
use crate::output::{DIM, STRONG, UNSURE, harmless, line, styled};

/// A plan, and what is left for people to do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Told<'p> {
    /// What enforcing would do.
    steps: Vec<StepTold<'p>>,
    /// What deviates and no step can mend.
    by_hand: Vec<&'p Finding>,
}

/// A step, with its words.
#[derive(Debug, Serialize)]
struct StepTold<'p> {
    #[serde(flatten)]
    step: &'p Step,
    words: String,
}

impl<'p> Told<'p> {
    /// Puts a plan beside the findings that it was made for.
    pub(crate) fn new(plan: &'p Plan, findings: &'p [Finding]) -> Self {
        let has_step = |finding: &Finding| {
            plan.steps
                .iter()
                .any(|step| step.control == finding.control)
        };
        let by_hand = findings
            .iter()
            .filter(|finding| {
                finding.phase <= plan.phase && !finding.conforms() && !has_step(finding)
            })
            .collect();
        let words = |step: &'p Step| StepTold {
            step,
            words: step.action.to_string(),
        };
        Self {
            steps: plan.steps.iter().map(words).collect(),
            by_hand,
        }
    }

    /// Says whether there is nothing to do for anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.by_hand.is_empty()
    }

    /// The plan for people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if self.is_empty() {
            line(&mut text, "nothing to do");
            return text;
        }
        for step in &self.steps {
            line(
                &mut text,
                &format!("{}  {}", step.step.control, harmless(&step.words)),
            );
        }
        if !self.by_hand.is_empty() {
            line(&mut text, &styled(STRONG, "by hand"));
        }
        for finding in &self.by_hand {
            let id = &finding.control;
            line(
                &mut text,
                &format!("{}  {}", styled(UNSURE, id), harmless(&finding.title)),
            );
            details(&mut text, finding, 4);
        }
        let count = match self.steps.len() {
            1 => "1 step".to_owned(),
            count => format!("{count} steps"),
        };
        line(
            &mut text,
            &styled(DIM, format!("{count}, {} by hand", self.by_hand.len())),
        );
        text
    }
}
