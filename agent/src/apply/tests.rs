//! Laws of enforcing, over hosts in memory.

use jiff::Timestamp;
use policies::check::Check;
use policies::check::firewall::{RULES_PATH, Ruleset};
use policies::control::Phase;
use policies::plan::Plan;
use policies::policy::Policy;
use policies::report::{Finding, StepOutcome, StepResult};
use proptest::prelude::*;

use super::apply;
use crate::host::fake::Fake;
use crate::host::{Alter, Inspect};
use crate::observe::observe;

/// Checks that agree with each other and that enforcing can bring about.
const CHECKS: [&str; 22] = [
    r#"accounts = { rule = "root-is-locked" }"#,
    r#"accounts = { rule = "no-empty-passwords" }"#,
    r#"accounts = { rule = "system-accounts-cannot-log-in" }"#,
    r#"file-mode = { path = "/etc/shadow", owner = "root", group = "shadow", most = "0640" }"#,
    r#"file-mode = { path = "/etc/cron.d/*", owner = "root", group = "root", most = "0600" }"#,
    r#"firewall = { egress = { mode = "enforce", resolvers = ["10.0.0.2"] }, metadata = { allow = ["root"] } }"#,
    r#"ini = { path = "/etc/xrdp/xrdp.ini", section = "Channels", key = "cliprdr", equals = "false", overridden-by = "channel.cliprdr" }"#,
    r#"ini = { path = "/etc/xrdp/xrdp.ini", section = "Globals", key = "security_layer", equals = "tls" }"#,
    r#"ini = { path = "/etc/systemd/coredump.conf", section = "Coredump", key = "Storage", equals = "none" }"#,
    r#"kernel-module = { name = "usb-storage", want = "blocked" }"#,
    r#"kernel-module = { name = "dccp", want = "blocked" }"#,
    r#"membership = { group = "docker", none-of = "researchers" }"#,
    r#"mount-option = { path = "/dev/shm", options = ["nosuid", "nodev", "noexec"] }"#,
    r#"mount-option = { path = "/tmp", options = ["nodev"] }"#,
    r#"setting = { path = "/etc/login.defs", key = "PASS_MAX_DAYS", at-most = 365 }"#,
    r#"sshd = { option = "PermitRootLogin", equals = "no" }"#,
    r#"sshd = { option = "MaxAuthTries", at-most = 4 }"#,
    r#"sudoers = { rule = "use-pty" }"#,
    r#"sysctl = { key = "kernel.kptr_restrict", at-least = 2 }"#,
    r#"sysctl = { key = "net.ipv4.ip_forward", equals = "0" }"#,
    r#"unit = { name = "xrdp.service", want = "running" }"#,
    r#"unit = { name = "cups.service", want = "masked" }"#,
];

fn policy(checks: &[&str]) -> Policy {
    let control = |(index, check): (usize, &&str)| {
        format!(
            "[[control]]\nid = \"LAB-{index}\"\ntitle = \"t\"\nseverity = \"low\"\nrationale = \"r\"\n\
             check.{check}\n"
        )
    };
    let controls: Vec<String> = checks.iter().enumerate().map(control).collect();
    let head = "schema = 1\nname = \"lab\"\n[researchers]\ngroups = [\"researchers\"]\n";
    let text = format!("{head}{}", controls.concat());
    policies::load::load("lab", &text, &[], &|_| Err("none".to_owned())).unwrap()
}

/// A machine on which nothing is as it should be.
fn bad_host() -> Fake {
    let host = Fake::new()
        .file(
            "/etc/passwd",
            "root:x:0:0::/root:/bin/bash\ndaemon:x:1:1::/:/bin/sh\nada:x:1000:1000::/home/ada:/bin/bash\n",
        )
        .owned_file(
            "/etc/shadow",
            "root:$y$1:1::::::\ndaemon:*:1::::::\nada::1::::::\n",
            0o644,
            1,
            1,
        )
        .file("/etc/group", "root:x:0:\nshadow:x:42:\nada:x:1000:\nresearchers:x:2000:ada\ndocker:x:900:ada,root\n")
        .file("/etc/gshadow", "docker:!:ada:ada,root\n")
        .owned_file("/etc/cron.d/job", "x\n", 0o666, 1000, 1000)
        .file("/etc/xrdp/xrdp.ini", "[Globals]\nsecurity_layer=negotiate\n[Channels]\ncliprdr=true\n[Xorg]\nchannel.cliprdr=true\n")
        .file("/etc/systemd/coredump.conf", "[Coredump]\nStorage=external\n")
        .file("/etc/systemd/coredump.conf.d/50-x.conf", "[Coredump]\nStorage=journal\n")
        .file("/proc/modules", "dccp 1 0 - Live 0x0\nloop 1 0 - Live 0x0\n")
        .file("/proc/self/mountinfo", "22 1 0:20 / /dev/shm rw - tmpfs tmpfs rw\n23 1 0:21 / /tmp rw - tmpfs tmpfs rw\n")
        .file("/usr/lib/systemd/system/tmp.mount", "[Mount]\nOptions=mode=1777,dev\n")
        .file("/etc/login.defs", "PASS_MAX_DAYS\t99999\n")
        .file("/etc/ssh/sshd_config", "PermitRootLogin yes\n")
        .sshd("maxauthtries", "6")
        .file("/etc/sudoers", "Defaults env_reset\n@includedir /etc/sudoers.d\n")
        .file("/proc/sys/kernel/kptr_restrict", "0\n")
        .file("/proc/sys/net/ipv4/ip_forward", "1\n")
        .file("/usr/lib/sysctl.d/99-x.conf", "kernel.kptr_restrict = 1\n")
        .file("/etc/sysctl.conf", "# x\nnet.ipv4.ip_forward=1\n")
        .unit("xrdp.service", "inactive", "disabled")
        .unit("cups.service", "active", "enabled")
        .unit("ssh.service", "active", "enabled")
        .unit("dsvm-agent-firewall.service", "inactive", "disabled");
    understanding(host)
}

/// A host whose packet filter takes the rules of [`CHECKS`].
fn understanding(host: Fake) -> Fake {
    let uids = [("root", 0), ("daemon", 1), ("ada", 1000)];
    let uids = uids.map(|(name, uid)| (name.to_owned(), uid)).into();
    let mut host = host;
    for control in policy(&CHECKS).controls {
        if let Check::Firewall(firewall) = &control.check {
            host = host.understands(Ruleset::of(firewall, &uids));
        }
    }
    host
}

fn now() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn enforce(policy: &Policy, host: &mut impl Alter) -> Vec<StepOutcome> {
    let findings = observe(policy, host, now());
    apply(&Plan::for_findings(policy, &findings, Phase::Vm), host)
}

fn deviating(policy: &Policy, host: &impl Inspect) -> Vec<Finding> {
    let findings = observe(policy, host, now()).into_iter();
    findings.filter(|finding| !finding.conforms()).collect()
}

/// All checks, by a mask of those that are wanted.
fn chosen(mask: u32) -> Vec<&'static str> {
    let wanted =
        |(index, check): (usize, &&'static str)| (mask >> index & 1 == 1).then_some(*check);
    CHECKS.iter().enumerate().filter_map(wanted).collect()
}

fn any_checks() -> impl Strategy<Value = Vec<&'static str>> {
    (1_u32..1 << CHECKS.len()).prop_map(chosen)
}

#[test]
fn bad_machine_is_brought_into_line() {
    let (policy, mut host) = (policy(&CHECKS), bad_host());
    assert_eq!(deviating(&policy, &host).len(), CHECKS.len());

    let steps = enforce(&policy, &mut host);

    let failed: Vec<&StepOutcome> = steps
        .iter()
        .filter(|step| matches!(step.result, StepResult::Failed { .. }))
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(deviating(&policy, &host), []);
}

#[test]
fn daemon_is_told_once_and_only_where_the_vm_runs() {
    let policy = policy(&[CHECKS[15], CHECKS[16]]);
    let reloads = |phase| {
        let mut host = bad_host();
        let plan = Plan::for_findings(&policy, &observe(&policy, &host, now()), phase);
        let steps = apply(&plan, &mut host).into_iter();
        steps
            .filter(|step| step.action.contains("read its files anew"))
            .count()
    };
    assert_eq!(reloads(Phase::Vm), 1);
    assert_eq!(reloads(Phase::Image), 0);
}

#[test]
fn text_that_its_program_does_not_take_never_goes_live() {
    for (check, path) in [
        (CHECKS[5], RULES_PATH),
        (CHECKS[15], "/etc/ssh/sshd_config.d/10-dsvm-agent.conf"),
        (CHECKS[17], "/etc/sudoers.d/dsvm-agent"),
    ] {
        let mut host = bad_host().that_refuses();
        let before = host.everything();
        let steps = enforce(&policy(&[check]), &mut host);
        assert!(
            matches!(steps[0].result, StepResult::Failed { .. }),
            "{steps:?}"
        );
        assert_eq!(host.contents(path), None);
        assert_eq!(host.everything(), before);
    }
}

#[test]
fn nobodys_link_is_written_through() {
    let mut host = bad_host()
        .symlink("/etc/login.defs", "/home/ada/defs")
        .file("/home/ada/defs", "");
    let steps = enforce(&policy(&[CHECKS[14]]), &mut host);
    assert!(matches!(&steps[0].result, StepResult::Failed { cause } if cause.contains("link")));
    assert_eq!(host.contents("/home/ada/defs").as_deref(), Some(""));
}

#[test]
fn image_is_enforced_without_running_anything() {
    let host = Fake::unpacked()
        .file("/usr/lib/systemd/system/cups.service", "[Install]\n")
        .file("/etc/ssh/sshd_config", "");
    let mut host = understanding(
        host.file("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
            .without_tools(),
    );
    let policy = policy(&[CHECKS[9], CHECKS[18], CHECKS[21]]);
    assert_eq!(deviating(&policy, &host).len(), 3);
    let steps = enforce(&policy, &mut host);
    assert!(
        steps.iter().all(|step| step.result == StepResult::Made),
        "{steps:?}"
    );
    assert_eq!(deviating(&policy, &host), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Enforcing a second time changes nothing, and leaves nothing that enforcing could change.
    #[test]
    fn enforcement_settles(checks in any_checks()) {
        let (policy, mut host) = (policy(&checks), bad_host());
        enforce(&policy, &mut host);
        prop_assert_eq!(deviating(&policy, &host), []);
        let before = host.everything();
        // Also when somebody hands in the old plan again.
        let old = Plan::for_findings(&policy, &observe(&policy, &bad_host(), now()), Phase::Image);
        let steps = apply(&old, &mut host);
        prop_assert!(steps.iter().all(|step| step.result == StepResult::Unchanged), "{:#?}", steps);
        prop_assert_eq!(host.everything(), before);
    }

    /// Whichever change fails, the failure is reported, the machine does not conform by mistake, and doing
    /// it again brings it where it would have come at once.
    #[test]
    fn enforcement_fails_closed_and_can_be_repeated(checks in any_checks(), at in 0_usize..60) {
        let policy = policy(&checks);
        let mut whole = bad_host();
        enforce(&policy, &mut whole);
        let mut host = bad_host().failing_at(at);
        let steps = enforce(&policy, &mut host);
        let failed = steps.iter().any(|step| matches!(step.result, StepResult::Failed { .. }));
        prop_assert_eq!(failed, at < whole.alterations());
        let only_told = |step: &StepOutcome| step.action.contains("read its files anew");
        let is_visible = steps
            .iter()
            .any(|step| matches!(step.result, StepResult::Failed { .. }) && !only_told(step));
        if is_visible {
            prop_assert!(!deviating(&policy, &host).is_empty());
        }
        enforce(&policy, &mut host);
        prop_assert_eq!(host.everything(), whole.everything());
    }

    /// The plan is the same in whatever order the findings come.
    #[test]
    fn plan_does_not_depend_on_the_order_of_findings(
        findings in Just(observe(&policy(&CHECKS), &bad_host(), now())).prop_shuffle(),
    ) {
        let policy = policy(&CHECKS);
        let expected = Plan::for_findings(&policy, &observe(&policy, &bad_host(), now()), Phase::Vm);
        prop_assert_eq!(Plan::for_findings(&policy, &findings, Phase::Vm), expected);
    }
}
