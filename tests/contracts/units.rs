//! The systemd units are locked down, and stay so.

use std::path::Path;
use std::process::Command;

use tests::repository::top;

/// The exposure that `systemd-analyze security` may give each unit, times ten (0 is best, 100 worst).
const CEILINGS: [(&str, u32); 3] = [
    ("dsvm-agent.service", 30),
    ("dsvm-agent-firewall.service", 30),
    ("dsvm-agent-gate.service", 30),
];

#[test]
fn units_stay_below_their_exposure_ceilings() {
    for (unit, ceiling) in CEILINGS {
        let judged = judge(
            &top().join("agent/dist/usr/lib/systemd/system").join(unit),
            ceiling,
        );
        assert!(
            judged.is_ok(),
            "{unit} is above {ceiling}: {}",
            judged.unwrap_err()
        );
    }
}

/// The check above is able to fail: an unprotected unit is far above every ceiling.
#[test]
fn naked_unit_is_above_every_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("naked.service");
    std::fs::write(&unit, "[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(judge(&unit, 50).is_err());
}

fn judge(unit: &Path, ceiling: u32) -> Result<(), String> {
    let judged = Command::new("systemd-analyze")
        .args([
            "security",
            "--offline=true",
            "--no-pager",
            &format!("--threshold={ceiling}"),
        ])
        .arg(unit)
        .output()
        .expect("systemd-analyze runs");
    let text = String::from_utf8_lossy(&judged.stdout).into_owned();
    let overall = text.lines().rfind(|line| line.contains("Overall exposure"));
    assert!(
        overall.is_some(),
        "no verdict: {text}{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    if judged.status.success() {
        Ok(())
    } else {
        Err(overall.unwrap().to_owned())
    }
}
