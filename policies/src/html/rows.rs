//! Findings, steps and facts on one line each.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::html::card;
use crate::html::text::shown;
use crate::report::{Finding, StepOutcome, StepResult};
use crate::verdict::Verdict;

/// What enforcing did, failures first.
pub(super) fn steps(steps: &[StepOutcome]) -> Markup {
    let mut steps: Vec<&StepOutcome> = steps.iter().collect();
    steps.sort_by_key(|step| match step.result {
        StepResult::Failed { .. } => 0,
        StepResult::Made => 1,
        StepResult::Unchanged => 2,
    });
    let rows = steps.into_iter().map(|step| {
        let result = match &step.result {
            StepResult::Failed { cause } => {
                html! { b.fail { "✗ failed" } ": " (shown(cause)) }
            }
            StepResult::Made => html! { b.pass { "✓ changed" } },
            StepResult::Unchanged => html! { span.faint { "– as it should be already" } },
        };
        [
            html! { code.whole { (step.control) } },
            html! { (shown(&step.action)) },
            result,
        ]
    });
    let rows: Vec<_> = rows.collect();
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="steps" {
                h2 id="steps" { "What enforcing did (" (rows.len()) ")" }
                (table("Steps of enforcing", ["Control", "Step", "Result"], &rows))
            }
        }
    }
}

/// Controls that have no meaning on the machine, with the reason.
pub(super) fn not_applicable(findings: &[&Finding]) -> Markup {
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| {
            let reason = match &finding.verdict {
                Verdict::NotApplicable { reason } => reason.as_str(),
                Verdict::Fail | Verdict::Pass | Verdict::Unknown { .. } => "",
            };
            line(finding, reason)
        })
        .collect();
    folded(
        "not-applicable",
        "Not applicable",
        ["Control", "Demand", "Reason"],
        &rows,
    )
}

/// Controls that hold.
pub(super) fn passes(findings: &[&Finding]) -> Markup {
    let rows: Vec<_> = findings
        .iter()
        .map(|finding| line(finding, &finding.found))
        .collect();
    folded("passes", "Passes", ["Control", "Demand", "Found"], &rows)
}

/// Facts about the machine that belong to no control.
pub(super) fn facts(facts: &BTreeMap<String, Vec<String>>) -> Markup {
    html! {
        @if !facts.is_empty() {
            section aria-labelledby="facts" {
                h2 id="facts" { "Further facts" }
                dl {
                    @for (name, values) in facts {
                        dt { (shown(name)) }
                        dd {
                            @for (index, value) in values.iter().enumerate() {
                                @if index > 0 { ", " }
                                span.value { (shown(value)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn line(finding: &Finding, last: &str) -> [Markup; 3] {
    [
        html! { code.whole { (finding.control) } },
        html! { (shown(&finding.title)) " " span.faint { "(" (card::severity(finding.severity)) ")" } },
        html! { span.value { (shown(last)) } },
    ]
}

fn folded(id: &str, title: &str, columns: [&str; 3], rows: &[[Markup; 3]]) -> Markup {
    html! {
        @if !rows.is_empty() {
            details id=(id) {
                summary { h2 { (title) " (" (rows.len()) ")" } }
                (table(title, columns, rows))
            }
        }
    }
}

/// A table that a narrow screen shows as a list; the roles keep it a table for screen readers even then.
fn table(caption: &str, columns: [&str; 3], rows: &[[Markup; 3]]) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead { tr role="row" {
                @for column in columns { th scope="col" role="columnheader" { (column) } }
            } }
            tbody {
                @for row in rows {
                    tr role="row" {
                        @for (column, cell) in columns.iter().zip(row) {
                            td role="cell" data-column=(column) { (cell) }
                        }
                    }
                }
            }
        }
    }
}
