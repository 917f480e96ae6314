//! The researcher's machine.

use std::time::{Duration, Instant};

use tests::lab::vm::{RESEARCHER, Setup};

#[test]
fn machine_is_ready_in_time_and_is_a_research_desktop() {
    let Some(lab) = super::lab() else { return };
    // The root is made once; that is not what is promised.
    drop(lab.vm(&Setup::default()).unwrap());
    let setup = Setup::default().file("/etc/lab-marker", "here\n");
    let began = Instant::now();

    let vm = lab.vm(&setup).unwrap();

    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "ready after {took:?}");
    assert_eq!(vm.run("cat", &["/etc/lab-marker"]).unwrap(), "here\n");
    assert!(vm.run("id", &[RESEARCHER]).unwrap().contains("researchers"));
    let listening = vm
        .run("ss", &["--listening", "--tcp", "--numeric"])
        .unwrap();
    for port in [":22 ", ":3389 "] {
        assert!(listening.contains(port), "{listening}");
    }
    let who = vm
        .command_as(RESEARCHER, "id")
        .arg("--user")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&who.stdout).trim(), "1000");
    let url =
        "http://169.254.169.254/metadata/instance/compute/vmId?api-version=2021-02-01&format=text";
    let found = vm
        .run(
            "curl",
            &[
                "--silent",
                "--max-time",
                "5",
                "--header",
                "Metadata: true",
                url,
            ],
        )
        .unwrap();
    assert_eq!(found, tests::lab::metadata::VM_ID);
    let storage = "https://stsecure.blob.core.windows.net/import/none";
    let code = vm.run(
        "curl",
        &[
            "--silent",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            storage,
        ],
    );
    assert_eq!(code.unwrap(), "401", "TLS and names work from inside");
    vm.run("nft", &["add", "table", "inet", "t"]).unwrap();

    let leader = vm.leader();
    drop(vm);
    assert!(
        !std::path::Path::new(&format!("/proc/{leader}")).exists(),
        "the machine ended"
    );
}

#[test]
fn agent_is_installed_as_a_user_would() {
    let Some(lab) = super::lab() else { return };
    let Ok(setup) = Setup::with_agent() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "`make deb` makes the agent's package"
        );
        return super::announce("there is no package of the agent: `make deb` makes it");
    };

    let vm = lab.vm(&setup).unwrap();

    let status = vm.run("dpkg", &["--status", "dsvm-agent"]).unwrap();
    assert!(status.contains("Status: install ok installed"), "{status}");
    assert!(
        vm.run("dsvm-agent", &["--version"])
            .unwrap()
            .starts_with("dsvm-agent ")
    );
    assert!(
        vm.run("systemctl", &["cat", "dsvm-agent.service"])
            .unwrap()
            .contains("Type=notify")
    );
}
