//! A made-up report, and what its page must and must not say.

use jiff::Timestamp;

use super::*;
use crate::control::Severity;
use crate::digest::Digest;
use crate::report::{
    Agent, Machine, PolicyIdentity, StepOutcome, StepResult, Summary, WaiverState,
};
use crate::verdict::{Evidence, Grade, Layer};

fn finding(id: &str, verdict: Verdict) -> Finding {
    Finding {
        control: id.to_owned().try_into().unwrap(),
        title: "Nobody logs in as root".to_owned(),
        rationale: "Whoever works as root leaves no trace.".to_owned(),
        severity: Severity::High,
        phase: Phase::Image,
        grade: Grade::Enforced,
        verdict,
        expected: "permitrootlogin no".to_owned(),
        found: "yes".to_owned(),
        evidence: vec![Evidence {
            layer: Layer::Configured,
            source: "/etc/ssh/sshd_config:12".to_owned(),
            found: "yes".to_owned(),
        }],
        references: vec!["nist-800-53:AC-6(2)".to_owned().try_into().unwrap()],
        waiver: None,
        judged: Timestamp::UNIX_EPOCH,
    }
}

fn report(findings: Vec<Finding>) -> Report {
    Report {
        schema: 1,
        sequence: 7,
        previous: None,
        challenge: None,
        agent: Agent {
            version: "0.1.0".to_owned(),
            digest: Digest::of(b"agent"),
        },
        policy: PolicyIdentity {
            name: "hipaa-research".to_owned(),
            digest: Digest::of(b"policy"),
        },
        machine: Machine {
            hostname: "dsvm-1".to_owned(),
            machine_id: String::new(),
            boot_id: None,
            os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            kernel: None,
            root: "/".to_owned(),
        },
        phase: Phase::Image,
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        conforms: crate::report::conform(&findings, Phase::Image),
        summary: Summary::of(&findings, Phase::Image),
        findings,
        steps: vec![StepOutcome {
            control: "SSH-001".to_owned().try_into().unwrap(),
            action: "set <b>".to_owned(),
            result: StepResult::Failed {
                cause: "read-only <i>".to_owned(),
            },
        }],
        facts: [("listening".to_owned(), vec!["tcp/22".to_owned()])].into(),
    }
}

fn unknown() -> Verdict {
    Verdict::Unknown {
        cause: "permission denied".to_owned(),
    }
}

fn position(page: &str, part: &str) -> usize {
    page.find(part)
        .unwrap_or_else(|| panic!("{part} is missing"))
}

#[test]
fn what_a_machine_says_is_escaped_wherever_it_stands() {
    const BAD: &str = "<script>alert('1')</script>\u{202e}\"><img src=x>";
    let bad = || BAD.to_owned();
    let mut hostile = finding("SSH-001", unknown());
    hostile.title = bad();
    hostile.rationale = bad();
    hostile.expected = bad();
    hostile.found = bad();
    hostile.evidence[0].source = bad();
    hostile.evidence[0].found = bad();
    hostile.verdict = Verdict::Unknown { cause: bad() };
    hostile.waiver = Some(waiver(false));
    if let Some(state) = &mut hostile.waiver {
        state.waiver.reason = bad();
        state.waiver.approver = bad();
        state.waiver.ticket = Some(bad());
    }
    let mut passing = hostile.clone();
    passing.verdict = Verdict::Pass;
    let mut not_applicable = hostile.clone();
    not_applicable.verdict = Verdict::NotApplicable { reason: bad() };
    let mut report = report(vec![hostile, passing, not_applicable]);
    report.machine.hostname = bad();
    report.machine.os = bad();
    report.machine.machine_id = bad();
    report.machine.root = bad();
    report.machine.kernel = Some(bad());
    report.machine.boot_id = Some(bad());
    report.policy.name = bad();
    report.agent.version = bad();
    report.challenge = Some(bad());
    report.steps[0].action = bad();
    report.steps[0].result = StepResult::Failed { cause: bad() };
    report.facts = [(bad(), vec![bad()])].into();
    let page = render(&report);
    assert!(page.contains("&lt;script&gt;"));
    for raw in ["<script", "<img", "\u{202e}", "<b>\"", "set <b>"] {
        assert!(!page.contains(raw), "{raw}");
    }
}

#[test]
fn page_needs_nothing_else() {
    let page = render(&report(vec![finding("SSH-001", Verdict::Fail)]));
    for outside in [
        "<script", "<link", "<img", "src=", "@import", "url(", "http://", "https://",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn deviations_come_before_what_holds_and_the_worst_comes_first() {
    let mut worst = finding("ZZZ-001", unknown());
    worst.severity = Severity::Critical;
    let page = render(&report(vec![
        finding("AAA-001", Verdict::Pass),
        finding("BBB-001", Verdict::Fail),
        worst,
    ]));
    assert!(position(&page, "ZZZ-001") < position(&page, "BBB-001"));
    assert!(position(&page, "BBB-001") < position(&page, "AAA-001"));
    assert!(page.contains("Does not conform to its policy"));
    for part in [
        "permission denied",
        "Whoever works as root leaves no trace.",
        "/etc/ssh/sshd_config:12",
        "nist-800-53:AC-6(2)",
        "permitrootlogin no",
        Digest::of(b"policy").as_str(),
        Digest::of(b"agent").as_str(),
    ] {
        assert!(page.contains(part), "{part}");
    }
}

fn waiver(holds: bool) -> WaiverState {
    WaiverState {
        holds,
        waiver: toml::from_str(
            "control = \"SSH-001\"\nreason = \"workshop\"\napprover = \"security-office\"\nexpires = 2027-01-31",
        )
        .unwrap(),
    }
}

#[test]
fn waiver_is_shown_whether_it_holds_or_not() {
    let with = |holds| {
        let mut finding = finding("SSH-001", Verdict::Fail);
        finding.waiver = Some(waiver(holds));
        render(&report(vec![finding]))
    };
    let (held, expired) = (with(true), with(false));
    assert!(held.contains("holds until 2027-01-31") && held.contains("security-office"));
    assert!(held.contains("Conforms to its policy"));
    assert!(expired.contains("expired after 2027-01-31"));
    assert!(expired.contains("Does not conform to its policy"));
}

#[test]
fn report_without_findings_does_not_conform() {
    assert!(render(&report(Vec::new())).contains("Does not conform to its policy"));
}
