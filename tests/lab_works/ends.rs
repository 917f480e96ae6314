//! Nothing of a lab outlives its process, however that ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::lab::run::{cache, wait_for};

/// A lab in a process of its own, and the name of its run.
fn begun() -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the lab begins");
    let name = format!("lab{}-0", child.id());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().expect("it says that it is up").unwrap();
    assert!(first.contains("The lab is up"), "{first}");
    let text: Vec<_> = lines.by_ref().take(3).map(Result::unwrap).collect();
    assert!(
        text.iter()
            .any(|line| line.contains(&format!("ip netns exec {name}-"))),
        "{text:?}"
    );
    // Whoever reads the rest may go away: it says nothing more until it ends.
    std::mem::forget(lines);
    (child, name)
}

fn leftovers(name: &str) -> Vec<String> {
    let folder = cache().join("runs").join(name);
    let mut left: Vec<String> = [folder]
        .iter()
        .filter(|path| path.exists())
        .map(|p| p.display().to_string())
        .collect();
    for place in ["/run/netns", "/etc/netns"] {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let found = entry.file_name().to_string_lossy().into_owned();
            if found.starts_with(&format!("{name}-")) {
                left.push(found);
            }
        }
    }
    // Every part of the lab has its folder among its arguments.
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if line.contains(&format!("/runs/{name}/")) {
            left.push(line.replace('\0', " "));
        }
    }
    left
}

fn signal(child: &Child, signal: &str) {
    assert!(
        Path::new("/proc").join(child.id().to_string()).exists(),
        "the lab is up"
    );
    Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
}

#[test]
fn nothing_is_left_after_any_end() {
    if !super::is_possible() {
        return;
    }
    for end in ["-INT", "-KILL"] {
        let (mut child, name) = begun();
        assert!(leftovers(&name).len() >= 8, "{:?}", leftovers(&name));
        signal(&child, end);
        child.wait().unwrap();
        let gone = wait_for("the end", Duration::from_secs(15), || {
            leftovers(&name).is_empty()
        });
        assert!(gone.is_ok(), "after {end}: {:?}", leftovers(&name));
    }
}
