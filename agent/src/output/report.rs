//! Findings, for people.

use anstyle::Style;
use policies::control::Phase;
use policies::report::{Finding, Report, StepOutcome, StepResult, Summary};
use policies::verdict::{Layer, Verdict};

use crate::output::{BAD, DIM, GOOD, STRONG, UNSURE, field, harmless, line, severity, styled};

/// A report as a table: one line per control, and what is known about those that deviate.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    let width = report
        .findings
        .iter()
        .map(|finding| finding.control.as_str().len())
        .max()
        .unwrap_or(0);
    for finding in &report.findings {
        row(&mut text, finding, report.phase, width);
    }
    steps(&mut text, &report.steps);
    for (name, values) in report
        .facts
        .iter()
        .filter(|(name, _)| name.ends_with("-error"))
    {
        for value in values {
            line(
                &mut text,
                &format!("{} {}", styled(BAD, format!("{name}:")), harmless(value)),
            );
        }
    }
    text.push('\n');
    line(&mut text, &counts(&report.summary));
    line(&mut text, &verdict(report.conforms));
    text
}

fn head(text: &mut String, report: &Report) {
    let machine = &report.machine;
    let name = if machine.hostname.is_empty() {
        &machine.root
    } else {
        &machine.hostname
    };
    let name: &str = name;
    let policy = format!(
        "policy {} {}",
        report.policy.name,
        report.policy.digest.short()
    );
    let parts = [name, &machine.os, &policy, phase(report.phase)];
    line(text, &harmless(&parts.join(" · ")));
    text.push('\n');
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Image => "phase image",
        Phase::Vm => "phase vm",
    }
}

/// One control on one line; more lines when there is something to say.
pub(crate) fn row(text: &mut String, finding: &Finding, phase: Phase, width: usize) {
    let is_later = finding.phase > phase;
    let word = if is_later { "later" } else { finding.word() };
    let style = if is_later { DIM } else { style(finding) };
    let id = finding.control.as_str();
    let grave = severity(finding.severity);
    let title = harmless(&finding.title);
    line(
        text,
        &format!(
            "{}  {grave:<8}  {id:<width$}  {title}",
            styled(style, format!("{word:<14}"))
        ),
    );
    if !is_later {
        details(text, finding, 14 + 2 + 8 + 2 + width + 2);
    }
}

fn style(finding: &Finding) -> Style {
    if finding.is_waived() {
        return UNSURE;
    }
    match finding.verdict {
        Verdict::Fail => BAD,
        Verdict::NotApplicable { .. } => DIM,
        Verdict::Pass => GOOD,
        Verdict::Unknown { .. } => UNSURE,
    }
}

/// Why a control does not simply pass.
pub(crate) fn details(text: &mut String, finding: &Finding, indent: usize) {
    match &finding.verdict {
        Verdict::Pass => {}
        Verdict::NotApplicable { reason } => field(text, indent, "reason", reason),
        Verdict::Unknown { cause } => {
            field(text, indent, "expected", &finding.expected);
            field(text, indent, "cause", cause);
        }
        Verdict::Fail => {
            field(text, indent, "expected", &finding.expected);
            field(text, indent, "found", &finding.found);
            for evidence in &finding.evidence {
                let layer = layer(evidence.layer);
                field(
                    text,
                    indent,
                    layer,
                    &format!("{} ({})", evidence.found, evidence.source),
                );
            }
        }
    }
    if let Some(state) = &finding.waiver {
        let waiver = &state.waiver;
        let until = if state.holds { "until" } else { "expired on" };
        let ticket = waiver
            .ticket
            .as_ref()
            .map_or(String::new(), |ticket| format!(", {ticket}"));
        let told = format!(
            "{until} {} by {}{ticket}: {}",
            waiver.expires, waiver.approver, waiver.reason
        );
        field(text, indent, "waiver", &told);
    }
}

const fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Configured => "configured",
        Layer::Effective => "effective",
        Layer::Persisted => "persisted",
    }
}

/// What enforcing did, one line per step.
fn steps(text: &mut String, steps: &[StepOutcome]) {
    if steps.is_empty() {
        return;
    }
    text.push('\n');
    line(text, &styled(STRONG, "enforced"));
    for step in steps {
        let (style, word) = match &step.result {
            StepResult::Failed { .. } => (BAD, "failed"),
            StepResult::Made => (GOOD, "changed"),
            StepResult::Unchanged => (DIM, "unchanged"),
        };
        let action = harmless(&step.action);
        line(
            text,
            &format!(
                "{}  {}  {action}",
                styled(style, format!("{word:<9}")),
                step.control
            ),
        );
        if let StepResult::Failed { cause } = &step.result {
            field(text, 11, "cause", cause);
        }
    }
}

fn counts(summary: &Summary) -> String {
    let counts = [
        (summary.pass, "pass"),
        (summary.fail, "fail"),
        (summary.unknown, "unknown"),
        (summary.waived, "waived"),
        (summary.not_applicable, "not applicable"),
        (summary.later, "later"),
    ];
    let total: usize = counts.iter().map(|(count, _)| count).sum();
    let parts: Vec<_> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    format!("{total} controls: {}", parts.join(", "))
}

fn verdict(conforms: bool) -> String {
    if conforms {
        styled(GOOD, "conforms")
    } else {
        styled(BAD, "deviates")
    }
}
