//! What was found on one machine at one time.
//!
//! The document is published as a JSON Schema (`policies/schema/report-1.json`); dashboards rely on it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::{ControlId, Phase, Reference, Severity};
use crate::digest::Digest;
use crate::verdict::{Evidence, Grade, Verdict};
use crate::waiver::Waiver;

/// The report of one pass over one machine.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Version of this format: 1.
    #[schemars(extend("const" = 1))]
    pub schema: u32,
    /// Number of the report on this machine; grows by one.
    pub sequence: u64,
    /// Digest of the report before this one, as it stands on disk.
    pub previous: Option<Digest>,
    /// What the asker wanted to see in the answer, so that an old answer cannot pass for a new one.
    pub challenge: Option<String>,
    /// The program that looked.
    pub agent: Agent,
    /// The policy that it looked with.
    pub policy: PolicyIdentity,
    /// The machine that it looked at.
    pub machine: Machine,
    /// The phase that was asked for; controls of a later phase are shown, not judged.
    pub phase: Phase,
    /// When the pass began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When the pass ended.
    #[schemars(with = "String")]
    pub finished: Timestamp,
    /// Whether every finding of the phase conforms or is waived.
    pub conforms: bool,
    /// How many findings have which outcome.
    pub summary: Summary,
    /// One finding per control, in the order of their ids.
    pub findings: Vec<Finding>,
    /// What enforcing changed; empty when nothing was enforced.
    #[serde(default)]
    pub steps: Vec<StepOutcome>,
    /// Facts about the machine that are of use beside the findings, such as `listening` sockets.
    #[serde(default)]
    pub facts: BTreeMap<String, Vec<String>>,
}

/// The program that made a report.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Agent {
    /// Its version.
    pub version: String,
    /// Digest of its binary.
    pub digest: Digest,
}

/// The policy that a report was made with.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct PolicyIdentity {
    /// Its name.
    pub name: String,
    /// Digest of its canonical form, everything that it extends included.
    pub digest: Digest,
}

/// The machine that a report is about.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    /// Its host name.
    pub hostname: String,
    /// `/etc/machine-id`; empty in a sealed image.
    pub machine_id: String,
    /// The kernel's name for this boot; none for an image that is not running.
    pub boot_id: Option<String>,
    /// `PRETTY_NAME` of `os-release`.
    pub os: String,
    /// The running kernel; none for an image that is not running.
    pub kernel: Option<String>,
    /// The folder that was looked at: `/` on a running machine.
    pub root: String,
}

/// How many findings have which outcome.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// Controls that hold.
    pub pass: usize,
    /// Controls that do not hold, waived ones not counted.
    pub fail: usize,
    /// Controls that could not be judged, waived ones not counted.
    pub unknown: usize,
    /// Controls that deviate and are waived.
    pub waived: usize,
    /// Controls that have no meaning on this machine.
    pub not_applicable: usize,
    /// Controls of a later phase, shown but not judged.
    pub later: usize,
}

/// The finding of one control.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The control.
    pub control: ControlId,
    /// Its title.
    pub title: String,
    /// Why it matters, as the policy says it.
    #[serde(default)]
    pub rationale: String,
    /// How bad it is when it does not hold.
    pub severity: Severity,
    /// From when on it must hold.
    pub phase: Phase,
    /// How strongly it binds.
    pub grade: Grade,
    /// Whether it holds.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What the policy wants.
    pub expected: String,
    /// What the machine has.
    pub found: String,
    /// Where it was seen.
    pub evidence: Vec<Evidence>,
    /// Requirements of standards that it serves.
    pub references: Vec<Reference>,
    /// The exception from it, if there is one; also one that has expired.
    pub waiver: Option<WaiverState>,
    /// When it was judged.
    #[schemars(with = "String")]
    pub judged: Timestamp,
}

/// A waiver, and whether it still holds.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaiverState {
    /// Whether it held on the day of the report.
    pub holds: bool,
    /// The waiver itself.
    #[serde(flatten)]
    pub waiver: Waiver,
}

/// What one step of enforcing did.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepOutcome {
    /// The control that the step serves.
    pub control: ControlId,
    /// The step in words.
    pub action: String,
    /// What came of it.
    #[serde(flatten)]
    pub result: StepResult,
}

/// What came of a step.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum StepResult {
    /// It could not be done.
    Failed {
        /// Why, outermost cause first.
        cause: String,
    },
    /// The machine was changed.
    Made,
    /// The machine was as it should be already.
    Unchanged,
}

impl Finding {
    /// Says whether this finding lets the machine conform: it holds, or its waiver does.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.verdict.conforms() || self.is_waived()
    }

    /// Says whether it deviates and a waiver that still holds answers for it.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        !self.verdict.conforms() && self.waiver.as_ref().is_some_and(|waiver| waiver.holds)
    }

    /// The outcome in one word, as it is printed.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.is_waived() {
            "waived"
        } else {
            self.verdict.word()
        }
    }
}

/// Says whether findings conform when they are judged for a phase. No finding at all does not conform.
#[must_use]
pub fn conform(findings: &[Finding], phase: Phase) -> bool {
    let mut judged = findings
        .iter()
        .filter(|finding| finding.phase <= phase)
        .peekable();
    judged.peek().is_some() && judged.all(Finding::conforms)
}

impl Summary {
    /// Counts findings when they are judged for a phase.
    #[must_use]
    pub fn of(findings: &[Finding], phase: Phase) -> Self {
        let mut summary = Self::default();
        for finding in findings {
            let count = if finding.phase > phase {
                &mut summary.later
            } else if finding.is_waived() {
                &mut summary.waived
            } else {
                match finding.verdict {
                    Verdict::Fail => &mut summary.fail,
                    Verdict::NotApplicable { .. } => &mut summary.not_applicable,
                    Verdict::Pass => &mut summary.pass,
                    Verdict::Unknown { .. } => &mut summary.unknown,
                }
            };
            *count += 1;
        }
        summary
    }
}
