//! One finding with everything that is known about it.

use maud::{Markup, html};

use crate::control::{Phase, Severity};
use crate::html::text::shown;
use crate::report::{Finding, WaiverState};
use crate::verdict::{Grade, Layer, Verdict};

/// A finding as a card: what, how bad, expected and found, why, where it was seen.
pub(super) fn card(finding: &Finding) -> Markup {
    let (class, sign) = style(finding);
    html! {
        article class=(class) {
            ul.tags {
                li class=(class) { b { (sign) " " (finding.word()) } }
                li { (severity(finding.severity)) }
                @if finding.grade != Grade::Enforced { li { (grade(finding.grade)) } }
                @if finding.phase == Phase::Vm { li { "on deployed machines" } }
            }
            h3 { code { (finding.control) } " " (shown(&finding.title)) }
            @if !finding.rationale.is_empty() { p { (shown(&finding.rationale)) } }
            dl {
                dt { "Expected" } dd.value { (shown(&finding.expected)) }
                dt { "Found" } dd.value { (shown(&finding.found)) }
                (reason(&finding.verdict))
                @if !finding.references.is_empty() {
                    dt { "Standards" }
                    dd {
                        @for (index, reference) in finding.references.iter().enumerate() {
                            @if index > 0 { ", " }
                            span.whole { (shown(reference.as_str())) }
                        }
                    }
                }
            }
            @if let Some(state) = &finding.waiver { (waiver(state)) }
            (evidence(finding))
        }
    }
}

/// The class of a finding's colour, and the sign that says the same without colour.
fn style(finding: &Finding) -> (&'static str, &'static str) {
    if finding.is_waived() {
        return ("waived", "!");
    }
    match finding.verdict {
        Verdict::Fail => ("fail", "✗"),
        Verdict::NotApplicable { .. } => ("faint", "–"),
        Verdict::Pass => ("pass", "✓"),
        Verdict::Unknown { .. } => ("unknown", "?"),
    }
}

fn reason(verdict: &Verdict) -> Markup {
    html! {
        @match verdict {
            Verdict::NotApplicable { reason } => { dt { "Reason" } dd { (shown(reason)) } },
            Verdict::Unknown { cause } => { dt { "Cause" } dd { (shown(cause)) } },
            Verdict::Fail | Verdict::Pass => {},
        }
    }
}

fn waiver(state: &WaiverState) -> Markup {
    let waiver = &state.waiver;
    html! {
        dl {
            dt { "Waiver" }
            dd {
                b class=(if state.holds { "waived" } else { "fail" }) {
                    @if state.holds { "holds until " } @else { "expired after " }
                    (waiver.expires)
                }
                ": " (shown(&waiver.reason)) " (approved by " (shown(&waiver.approver))
                @if let Some(ticket) = &waiver.ticket { ", " (shown(ticket)) }
                ")"
            }
        }
    }
}

fn evidence(finding: &Finding) -> Markup {
    html! {
        @if !finding.evidence.is_empty() {
            table role="table" {
                caption { "Evidence for " (finding.control) }
                thead { tr role="row" {
                    th scope="col" role="columnheader" { "Layer" }
                    th scope="col" role="columnheader" { "Where" }
                    th scope="col" role="columnheader" { "Found" }
                } }
                tbody {
                    @for evidence in &finding.evidence {
                        tr role="row" {
                            td role="cell" data-column="Layer" { (layer(evidence.layer)) }
                            td role="cell" data-column="Where" { code { (shown(&evidence.source)) } }
                            td role="cell" data-column="Found" { span.value { (shown(&evidence.found)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A severity in words.
pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Low => "low",
        Severity::Medium => "medium",
    }
}

const fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Advisory => "advisory: held by a process of the researcher's",
        Grade::Enforced => "enforced",
        Grade::Network => "held by the network",
    }
}

const fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Configured => "configured",
        Layer::Effective => "effective",
        Layer::Persisted => "persisted",
    }
}
