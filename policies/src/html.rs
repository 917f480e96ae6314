//! The report as a page for people.
//!
//! One file without scripts and without anything to fetch, so that it can be mailed, printed and kept.
//! What deviates comes first; what holds is folded away. Every text of the machine is escaped.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::control::Phase;
use crate::report::{Finding, Report};
use crate::verdict::Verdict;

/// One finding with everything that is known about it.
mod card;
/// Findings, steps and facts on one line each.
mod rows;
/// Texts of a machine, made fit to be shown.
mod text;

use text::{instant, shown};

/// The page of a report.
#[must_use]
pub fn render(report: &Report) -> String {
    let sections = Sections::of(report);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (shown(&report.machine.hostname)) ": " (outcome(report)) }
                style { (PreEscaped(include_str!("html/style.css"))) }
            }
            body {
                (header(report, &sections))
                main {
                    (sections.deviations_part())
                    (cards("waived", "Waived", &sections.waived))
                    (cards("later", "Not judged before the machine is deployed", &sections.later))
                    (rows::steps(&report.steps))
                    (rows::not_applicable(&sections.not_applicable))
                    (rows::passes(&sections.passes))
                    (rows::facts(&report.facts))
                    (identity(report))
                }
                footer {
                    "Made from report " (report.sequence) " of " (shown(&report.machine.hostname))
                    ", which is the evidence; this page is for reading."
                }
            }
        }
    };
    page.into_string()
}

/// The findings of a report by what a reader does with them.
struct Sections<'r> {
    /// What deviates, the worst first.
    deviations: Vec<&'r Finding>,
    waived: Vec<&'r Finding>,
    later: Vec<&'r Finding>,
    not_applicable: Vec<&'r Finding>,
    passes: Vec<&'r Finding>,
}

impl<'r> Sections<'r> {
    fn of(report: &'r Report) -> Self {
        let mut sections = Self {
            deviations: Vec::new(),
            waived: Vec::new(),
            later: Vec::new(),
            not_applicable: Vec::new(),
            passes: Vec::new(),
        };
        for finding in &report.findings {
            let section = if finding.phase > report.phase {
                &mut sections.later
            } else if finding.is_waived() {
                &mut sections.waived
            } else {
                match finding.verdict {
                    Verdict::Fail | Verdict::Unknown { .. } => &mut sections.deviations,
                    Verdict::NotApplicable { .. } => &mut sections.not_applicable,
                    Verdict::Pass => &mut sections.passes,
                }
            };
            section.push(finding);
        }
        for section in [
            &mut sections.deviations,
            &mut sections.waived,
            &mut sections.later,
        ] {
            section.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        }
        sections
    }

    fn deviations_part(&self) -> Markup {
        if self.deviations.is_empty() {
            return html! {
                section aria-labelledby="deviations" {
                    h2 id="deviations" { "Deviations" }
                    p { "None." }
                }
            };
        }
        cards("deviations", "Deviations", &self.deviations)
    }

    /// Links to the parts of the page that have something to show.
    fn links(&self) -> Markup {
        let links = [
            ("deviations", "Deviations", self.deviations.len()),
            ("waived", "Waived", self.waived.len()),
            ("later", "Not judged yet", self.later.len()),
            (
                "not-applicable",
                "Not applicable",
                self.not_applicable.len(),
            ),
            ("passes", "Passes", self.passes.len()),
        ];
        html! {
            nav aria-label="Parts of this report" {
                ul {
                    @for (id, title, _) in links.iter().filter(|(_, _, count)| *count > 0) {
                        li { a href={ "#" (id) } { (title) } }
                    }
                    li { a href="#identity" { "Machine, policy and agent" } }
                }
            }
        }
    }
}

fn header(report: &Report, sections: &Sections<'_>) -> Markup {
    let summary = &report.summary;
    let (class, sign) = if report.conforms {
        ("pass", "✓")
    } else {
        ("fail", "✗")
    };
    let counts = [
        ("fail", "✗ fail", summary.fail),
        ("unknown", "? unknown", summary.unknown),
        ("waived", "! waived", summary.waived),
        ("pass", "✓ pass", summary.pass),
        ("faint", "– not applicable", summary.not_applicable),
        ("faint", "… not judged yet", summary.later),
    ];
    html! {
        header {
            h1 { "Report on " (shown(&report.machine.hostname)) }
            p class={ "verdict " (class) } { span aria-hidden="true" { (sign) " " } (outcome(report)) }
            ul.counts aria-label="Number of controls by outcome" {
                @for (class, word, count) in counts {
                    li { b class=(class) { (count) } span class=(class) { (word) } }
                }
            }
            p {
                "Policy " code { (shown(&report.policy.name)) } ", "
                @match report.phase {
                    Phase::Image => "as an image must hold it",
                    Phase::Vm => "as a deployed machine must hold it",
                }
                ". Looked at on " (instant(report.finished)) "."
            }
            (sections.links())
        }
    }
}

fn outcome(report: &Report) -> &'static str {
    if report.conforms {
        "Conforms to its policy"
    } else {
        "Does not conform to its policy"
    }
}

fn cards(id: &str, title: &str, findings: &[&Finding]) -> Markup {
    html! {
        @if !findings.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) " (" (findings.len()) ")" }
                @for finding in findings { (card::card(finding)) }
            }
        }
    }
}

fn identity(report: &Report) -> Markup {
    let machine = &report.machine;
    let of_a_running =
        |value: &Option<String>| value.clone().unwrap_or_else(|| "not running".to_owned());
    let lines = [
        ("Host name", machine.hostname.clone()),
        ("System", machine.os.clone()),
        ("Kernel", of_a_running(&machine.kernel)),
        (
            "Machine id",
            if machine.machine_id.is_empty() {
                "none: sealed".to_owned()
            } else {
                machine.machine_id.clone()
            },
        ),
        ("Boot id", of_a_running(&machine.boot_id)),
        ("Looked at", machine.root.clone()),
        ("Policy", report.policy.name.clone()),
        ("Policy digest", report.policy.digest.to_string()),
        ("Agent", report.agent.version.clone()),
        ("Agent digest", report.agent.digest.to_string()),
        ("Report number", report.sequence.to_string()),
        (
            "Report before",
            report
                .previous
                .as_ref()
                .map_or_else(|| "none".to_owned(), ToString::to_string),
        ),
        (
            "Challenge",
            report
                .challenge
                .clone()
                .unwrap_or_else(|| "none".to_owned()),
        ),
    ];
    html! {
        section aria-labelledby="identity" {
            h2 id="identity" { "Machine, policy and agent" }
            dl {
                @for (name, value) in lines { dt { (name) } dd.value { (shown(&value)) } }
                dt { "Begun" } dd { (instant(report.started)) }
                dt { "Ended" } dd { (instant(report.finished)) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
