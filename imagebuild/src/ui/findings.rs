use policies::{
    control::Phase,
    report::{Report, Summary},
    verdict::Verdict,
};

use super::{Look, Table, print, say};

/// Prints what was checked on a machine, and how it came out.
pub fn report(report: &Report) {
    let mut table = Table::new(["CONTROL", "VERDICT", "TITLE", "EXPECTED", "FOUND"]);
    for finding in &report.findings {
        let look = match finding.verdict {
            Verdict::Pass => Look::Good,
            Verdict::NotApplicable { .. } => Look::Weak,
            _ if finding.is_waived() || finding.phase > Phase::Image => Look::Warning,
            Verdict::Fail | Verdict::Unknown { .. } => Look::Bad,
        };
        let word = if finding.phase > Phase::Image {
            "on the VM"
        } else {
            finding.word()
        };
        let (expected, found) = match look {
            Look::Good => ("", ""),
            _ => (finding.expected.as_str(), finding.found.as_str()),
        };
        table.row([
            (finding.control.as_str(), Look::Plain),
            (word, look),
            (&finding.title, Look::Plain),
            (expected, Look::Plain),
            (found, Look::Plain),
        ]);
    }
    print(&table.to_string());
    let Summary {
        pass,
        fail,
        unknown,
        waived,
        not_applicable,
        later,
    } = Summary::of(&report.findings, Phase::Image);
    say(&format!(
        "{} controls: {pass} pass, {fail} fail, {unknown} unknown, {waived} waived, \
         {not_applicable} not applicable, {later} judged on the VM",
        report.findings.len()
    ));
}
