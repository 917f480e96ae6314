//! Whole policies over hosts.

use std::collections::BTreeMap;
use std::path::Path;

use policies::check::Check;
use policies::check::firewall::{Firewall, Ruleset};
use policies::check::seen::Seen;
use policies::verdict::Verdict;

use super::*;
use crate::host::fake::Fake;
use crate::host::live::Live;
use crate::host::tool::{Call, Error, Tool};

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

fn now() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn verdict(check: &str, host: &impl Inspect) -> Verdict {
    observe(&policy(&[check]), host, now()).remove(0).verdict
}

/// One check of each kind that reads files.
const FILES: [(&str, &str); 9] = [
    (
        r#"accounts = { rule = "only-root-has-uid-0" }"#,
        "/etc/passwd",
    ),
    (
        r#"file-mode = { path = "/etc/shadow", most = "0640" }"#,
        "/etc/shadow",
    ),
    (
        r#"ini = { path = "/etc/a.ini", section = "a", key = "b", equals = "c" }"#,
        "/etc/a.ini",
    ),
    (
        r#"kernel-module = { name = "dccp", want = "blocked" }"#,
        "/etc/modprobe.d/a.conf",
    ),
    ("listening = { allow = [] }", "/proc/net/tcp"),
    (
        r#"package = { name = "telnet", want = "absent" }"#,
        "/var/lib/dpkg/status",
    ),
    (
        r#"setting = { path = "/etc/login.defs", key = "A", equals = "c" }"#,
        "/etc/login.defs",
    ),
    (r#"sudoers = { rule = "no-nopasswd" }"#, "/etc/sudoers"),
    (r#"sysctl = { key = "a.b", equals = "1" }"#, "/proc/sys/a/b"),
];

/// SECURITY.md: what the agent cannot read it reports as a deviation.
#[test]
fn unreadable_file_is_a_deviation() {
    for (check, path) in FILES {
        let host = Fake::new()
            .file("/etc/sysctl.d/a.conf", "a.b = 1\n")
            .unreadable(path);
        let verdict = verdict(check, &host);
        let Verdict::Unknown { cause } = &verdict else {
            panic!("{check}: {verdict:?}");
        };
        assert!(cause.contains("permission denied"), "{check}: {cause}");
        assert!(cause.contains(path), "{check}: {cause}");
    }
}

#[test]
fn missing_program_is_not_a_pass() {
    let host = Fake::new()
        .file("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
        .file("/etc/group", "root:x:0:\n")
        .without_tools();
    for check in [
        r#"firewall = { metadata = { allow = ["root"] } }"#,
        r#"unit = { name = "ssh.service", want = "stopped" }"#,
    ] {
        assert!(!verdict(check, &host).conforms(), "{check}");
    }
    let sshd = verdict(r#"sshd = { option = "usepam", equals = "yes" }"#, &host);
    assert_eq!(sshd.word(), "not applicable");
}

#[test]
fn image_is_judged_by_its_files_alone() {
    let host = Fake::unpacked()
        .file("/etc/sysctl.d/a.conf", "a.b = 1\n")
        .file("/etc/passwd", "root:x:0:0::/:/bin/sh\n")
        .without_tools();
    for (check, expected) in [
        (r#"sysctl = { key = "a.b", equals = "1" }"#, "pass"),
        (r#"sysctl = { key = "a.c", equals = "1" }"#, "fail"),
        ("listening = { allow = [] }", "not applicable"),
        (
            r#"sshd = { option = "usepam", equals = "yes" }"#,
            "not applicable",
        ),
        (r#"hygiene = { rule = "no-ssh-host-keys" }"#, "pass"),
        (
            r#"unit = { name = "cups.service", want = "stopped" }"#,
            "pass",
        ),
    ] {
        assert_eq!(verdict(check, &host).word(), expected, "{check}");
    }
}

#[test]
fn researchers_are_asked_about_one_by_one() {
    let host = Fake::new()
        .file(
            "/etc/passwd",
            "ada:x:1000:2000::/:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n",
        )
        .file("/etc/group", "researchers:x:2000:bob\n")
        .sshd("permittunnel", "no");
    let policy =
        policy(&[r#"sshd = { option = "PermitTunnel", equals = "no", users = "researchers" }"#]);
    let finding = observe(&policy, &host, now()).remove(0);
    let sources: Vec<&str> = finding.evidence.iter().map(|e| e.source.as_str()).collect();
    assert_eq!(sources, ["sshd -T -C user=ada", "sshd -T -C user=bob"]);
    assert_eq!(finding.verdict, Verdict::Pass);
}

/// This machine's own packages, mounts and sockets; what they are is not known, that they are read is.
#[test]
fn this_machine_is_understood() {
    let host = Live::at(Path::new("/")).unwrap();
    for check in [
        r#"package = { name = "dpkg", want = "present" }"#,
        r#"mount-option = { path = "/proc", options = ["nosuid"] }"#,
        "listening = { allow = [] }",
        r#"file-mode = { path = "/etc/passwd", owner = "root", most = "0644" }"#,
    ] {
        let verdict = verdict(check, &host);
        assert!(
            matches!(verdict, Verdict::Fail | Verdict::Pass),
            "{check}: {verdict:?}"
        );
    }
}

const LAB: &str = r#"
[egress]
mode = "enforce"
resolvers = ["168.63.129.16", "fd00::53"]
[[egress.allow]]
name = "storage"
host = "stsecure.blob.core.windows.net"
within = ["10.20.0.0/16", "10.30.0.4/32", "10.31.0.0/17", "fd00:20::/32"]
ports = ["tcp/443", "udp/443"]
for = ["root", "daemon"]
[[egress.allow]]
name = "anywhere"
host = "mirror.example.org"
within = ["0.0.0.0/0", "::/0"]
ports = ["tcp/8080"]
for = ["root"]
[metadata]
allow = ["root", "daemon"]
"#;

/// Runs a test in a network of its own, on this thread; says so when that cannot be.
fn in_own_network(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(move || {
        if let Err(errno) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: no network namespace of its own: {errno}");
            return;
        }
        match Call::new(Tool::Nft, ["list", "ruleset"]).run() {
            Ok(answer) if answer.is_good() => test(),
            Ok(answer) => eprintln!("skipped: nft: {}", answer.complaint),
            Err(error @ Error::Missing { .. }) => eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        }
    });
    thread.join().unwrap();
}

fn rules(text: &str) -> Ruleset {
    let firewall: Firewall = toml::from_str(text).unwrap();
    Ruleset::of(
        &firewall,
        &BTreeMap::from([("root".to_owned(), 0), ("daemon".to_owned(), 1)]),
    )
}

fn load(rules: &str) {
    let loaded = Call::new(Tool::Nft, ["-f", "-"]).input(rules).succeed();
    loaded.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn kernel_lists_the_rules_as_expected() {
    in_own_network(|| {
        let host = Live::at(Path::new("/")).unwrap();
        assert_eq!(firewall::effective(&host), Seen::Absent);
        let metadata_alone = "[metadata]\nallow = [\"root\"]\n".to_owned();
        for text in [
            LAB.to_owned(),
            LAB.replace("enforce", "audit"),
            metadata_alone,
        ] {
            let rules = rules(&text);
            load(&rules.text());
            let Seen::Found(listing) = firewall::effective(&host) else {
                panic!("not listed");
            };
            assert!(
                rules.is_listed(&listing),
                "{listing}\n{:#?}",
                rules.listing()
            );
            load("add rule inet dsvm_agent output accept");
            let Seen::Found(listing) = firewall::effective(&host) else {
                panic!("not listed");
            };
            assert!(!rules.is_listed(&listing), "a foreign rule was not seen");
        }
    });
}

/// What the kernel says when root sends a datagram.
fn send(to: &str) -> Option<std::io::ErrorKind> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.send_to(b"x", to).err().map(|error| error.kind())
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test makes a network to send into"
)]
fn kernel_lets_out_what_is_allowed_and_nothing_else() {
    in_own_network(|| {
        let ip = |words: &str| {
            let status = std::process::Command::new("ip")
                .args(words.split(' '))
                .status();
            status.is_ok_and(|status| status.success())
        };
        let is_ready = ip("link add va type veth peer name vb")
            && ip("addr add 10.20.0.2/16 dev va")
            && ip("link set va up")
            && ip("link set vb up")
            && ip("route add default via 10.20.0.1");
        if !is_ready {
            eprintln!("skipped: no network can be made");
            return;
        }
        let refused = Some(std::io::ErrorKind::PermissionDenied);
        assert_eq!(send("192.0.2.1:9"), None);
        load(&rules(LAB).text());
        for (to, expected) in [
            ("10.20.0.5:443", None),
            ("10.20.0.5:444", refused),
            ("10.31.128.1:443", refused),
            ("192.0.2.1:443", refused),
            ("168.63.129.16:53", None),
            ("8.8.8.8:53", refused),
            ("169.254.169.254:80", None),
        ] {
            assert_eq!(send(to), expected, "{to}");
        }
        load(&rules(&LAB.replace("[\"root\", \"daemon\"]", "[\"daemon\"]")).text());
        for (to, expected) in [
            ("169.254.169.254:80", refused),
            ("168.63.129.16:80", refused),
            ("168.63.129.16:53", None),
            ("10.20.0.5:443", refused),
        ] {
            assert_eq!(send(to), expected, "{to}");
        }
        load(&rules(&LAB.replace("enforce", "audit")).text());
        assert_eq!(send("192.0.2.1:443"), None);
    });
}

/// The real daemon with a configuration of its own.
#[test]
fn match_block_of_one_researcher_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sshd_config");
    let text =
        "PermitTunnel no\nDenyGroups guests researchers\nMatch User bob\n  PermitTunnel yes\n";
    std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes()).unwrap();
    let ask = |user: &str| {
        let login = format!("user={user},host=client.invalid,addr=192.0.2.1");
        let arguments = ["-T", "-f", file.to_str().unwrap(), "-C", login.as_str()];
        Call::new(Tool::Sshd, arguments).run()
    };
    let answer = match ask("ada") {
        Ok(answer) if answer.is_good() => answer,
        other => {
            eprintln!("skipped: sshd cannot be asked here: {other:?}");
            return;
        }
    };
    let ada = sshd::parse(&answer.out);
    let bob = sshd::parse(&ask("bob").unwrap().out);
    assert_eq!(ada["permittunnel"], ["no"]);
    assert_eq!(bob["permittunnel"], ["yes"]);
    assert_eq!(ada["denygroups"], ["guests", "researchers"]);
}

/// Every kind of check is observed: the policy that ships has them, or this list does.
#[test]
fn kinds_are_told_apart() {
    let policy = policy(&FILES.map(|(check, _)| check));
    let mut kinds: Vec<&str> = policy
        .controls
        .iter()
        .map(|control| Check::kind(&control.check))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), FILES.len());
}
