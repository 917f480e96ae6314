//! Judges the report of a boot: is it of that boot, and does the image conform?

use policies::{
    control::Phase,
    digest::Digest,
    report::{Report, conform},
};

use crate::exit::Mismatch;

/// What a report must say to count.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The challenge of the boot; none when the boot is not known.
    pub challenge: Option<&'a str>,
    /// Digest of the policy.
    pub policy: &'a Digest,
    /// Digest of the agent; none when any agent will do.
    pub agent: Option<&'a Digest>,
}

/// A report that counts.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The report.
    pub report: Report,
    /// Whether the image conforms.
    pub conforms: bool,
}

/// Judges the report of a boot. An error when it is not the report that was asked for.
pub fn judge(text: &str, expected: &Expected<'_>) -> Result<Judged, Mismatch> {
    let judged = read(text, expected.policy, expected.agent)?;
    let report = &judged.report;
    if let Some(challenge) = expected.challenge {
        let found = report.challenge.as_deref().unwrap_or("none");
        Mismatch::check("challenge in the report", &challenge, &found)?;
    }
    if report.machine.boot_id.is_none() {
        return Err(Mismatch {
            object: "machine of the report".to_owned(),
            expected: "one that is running".to_owned(),
            found: "one that is not".to_owned(),
        });
    }
    Ok(judged)
}

/// Judges the report on a sealed disk: what a running machine cannot show any more.
pub fn sealed(text: &str, policy: &Digest, agent: &Digest) -> Result<Judged, Mismatch> {
    read(text, policy, Some(agent))
}

fn read(text: &str, policy: &Digest, agent: Option<&Digest>) -> Result<Judged, Mismatch> {
    let unreadable = |error: serde_json::Error| Mismatch {
        object: "report".to_owned(),
        expected: "a report of schema 1".to_owned(),
        found: error.to_string(),
    };
    let value: serde_json::Value = serde_json::from_str(text).map_err(unreadable)?;
    let schema = value
        .get("schema")
        .map_or("none".to_owned(), ToString::to_string);
    Mismatch::check("schema of the report", &"1".to_owned(), &schema)?;
    let report: Report = serde_json::from_value(value).map_err(unreadable)?;
    Mismatch::check("policy of the report", policy, &report.policy.digest)?;
    if let Some(agent) = agent {
        Mismatch::check("agent of the report", agent, &report.agent.digest)?;
    }
    // What the report says of itself is not believed: the findings are.
    let conforms = conform(&report.findings, Phase::Image);
    Ok(Judged { report, conforms })
}

/// The findings for which an image is refused, in a line each.
pub fn deviations(report: &Report) -> Vec<String> {
    let judged = report
        .findings
        .iter()
        .filter(|finding| finding.phase <= Phase::Image);
    judged
        .filter(|finding| !finding.conforms())
        .map(|finding| {
            let (expected, found) = (&finding.expected, &finding.found);
            format!(
                "{} {}: expected {expected}, found {found}",
                finding.control, finding.title
            )
        })
        .collect()
}
