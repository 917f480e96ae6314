//! Builds and boots real images, as a user would.
//!
//! Everything runs on real parts: mmdebstrap, Packer, QEMU, systemd, sshd. The cases stand in one test because
//! each starts from what the one before it left, as a maintainer's day does, and because two emulated machines at
//! once would only wait for each other.

#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    clippy::duration_suboptimal_units,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    missing_debug_implementations,
    unreachable_pub,
    reason = "tests: what is not as it must be ends them"
)]

#[path = "end_to_end/maintainer.rs"]
mod maintainer;

use std::fs;
use std::time::{Duration, Instant};

use maintainer::Maintainer;

mod end_to_end {
    use super::*;

    #[test]
    fn recipe_becomes_an_image_that_was_booted_and_checked() {
        let maintainer = Maintainer::with_example();
        built(&maintainer);
        nothing_to_do_the_second_time(&maintainer);
        one_flipped_bit_is_found(&maintainer);
        interrupted_build_resumes_and_differs_in_nothing(&maintainer);
        control_broken_at_boot_is_refused(&maintainer);
    }
}

/// The example's recipe gives a passed image with all its evidence.
fn built(maintainer: &Maintainer) {
    let build = maintainer.run(&["build", "research-desktop.toml", "--out", "out"]);
    assert_eq!(build.code, 0, "{build}");

    let image = maintainer.folder().join("out/research-desktop-1.0.0");
    for file in [
        "image.vhd",
        "image.lock",
        "report.json",
        "report.html",
        "sbom.cdx.json",
        "custody.json",
        "build.log",
    ] {
        assert!(
            image.join(file).metadata().is_ok_and(|file| file.len() > 0),
            "no {file}"
        );
    }
    let report: policies::report::Report =
        serde_json::from_slice(&fs::read(image.join("report.json")).unwrap()).unwrap();
    assert!(
        report.conforms && report.machine.boot_id.is_some(),
        "{:?}",
        report.summary
    );
    assert!(report.summary.pass >= 45, "{:?}", report.summary);

    // Azure takes whole MiB and a footer of 512 bytes: docs/imagebuild.md.
    let size = image.join("image.vhd").metadata().unwrap().len();
    assert_eq!((size - 512) % (1024 * 1024), 0);

    let sbom = fs::read_to_string(image.join("sbom.cdx.json")).unwrap();
    for component in ["xrdp", "samtools", "plink1.9", "dsvm-agent"] {
        assert!(
            sbom.contains(&format!("\"name\": \"{component}\"")),
            "{component} is not in the SBOM"
        );
    }
    let verified = maintainer.run(&["verify", "out/research-desktop-1.0.0"]);
    assert_eq!(verified.code, 0, "{verified}");
}

fn nothing_to_do_the_second_time(maintainer: &Maintainer) {
    let image = maintainer
        .folder()
        .join("out/research-desktop-1.0.0/image.vhd");
    let before = image.metadata().unwrap().modified().unwrap();
    let again = maintainer.run(&["build", "research-desktop.toml", "--out", "out"]);
    assert_eq!(again.code, 0, "{again}");
    assert!(again.text().contains("nothing to build"), "{again}");
    assert_eq!(image.metadata().unwrap().modified().unwrap(), before);
}

/// A bit flipped anywhere in an output folder is found, and the file that it is in is named.
fn one_flipped_bit_is_found(maintainer: &Maintainer) {
    let image = maintainer.folder().join("out/research-desktop-1.0.0");
    for file in [
        "image.vhd",
        "image.lock",
        "report.json",
        "sbom.cdx.json",
        "custody.json",
        "build.log",
    ] {
        maintainer::flip_one_bit(&image.join(file));
        let verified = maintainer.run(&["verify", "out/research-desktop-1.0.0"]);
        maintainer::flip_one_bit(&image.join(file));
        assert_eq!(verified.code, 1, "{file}: {verified}");
        assert!(
            verified.text().contains(file),
            "{file} is not named: {verified}"
        );
    }
    assert_eq!(
        maintainer
            .run(&["verify", "out/research-desktop-1.0.0"])
            .code,
        0
    );
}

/// Ctrl-C leaves no process and no half-done image; the next run ends the work, with the same content.
fn interrupted_build_resumes_and_differs_in_nothing(maintainer: &Maintainer) {
    let mut running = maintainer.start(&["build", "research-desktop.toml", "--out", "again"]);
    assert!(
        running.wait_for_child("qemu-system", Duration::from_secs(300)),
        "no VM was started"
    );
    let asked = Instant::now();
    let stopped = running.interrupt(Duration::from_secs(60));
    assert_ne!(stopped.code, 0, "{stopped}");
    assert!(asked.elapsed() < Duration::from_secs(60));
    assert_eq!(maintainer.processes(), Vec::<String>::new(), "left behind");
    assert!(
        !maintainer
            .folder()
            .join("again/research-desktop-1.0.0")
            .exists()
    );

    let resumed = maintainer.run(&["build", "research-desktop.toml", "--out", "again"]);
    assert_eq!(resumed.code, 0, "{resumed}");
    let difference = maintainer.run(&[
        "diff",
        "out/research-desktop-1.0.0",
        "again/research-desktop-1.0.0",
    ]);
    assert_eq!(difference.code, 0, "{difference}");
}

/// The gate judges what runs, not what is configured: a service that undoes a control at boot is caught.
fn control_broken_at_boot_is_refused(maintainer: &Maintainer) {
    maintainer.write(
        "break.sh",
        "#!/bin/bash\nset -euo pipefail\n\
         printf '[Service]\\nType=oneshot\\nExecStart=/sbin/sysctl -w kernel.kptr_restrict=0\\n' \
         > /etc/systemd/system/undo.service\n\
         mkdir -p /etc/systemd/system/sysinit.target.wants\n\
         printf '[Unit]\\nDefaultDependencies=no\\nAfter=systemd-sysctl.service\\nBefore=sysinit.target\\n' \
         >> /etc/systemd/system/undo.service\n\
         ln -s ../undo.service /etc/systemd/system/sysinit.target.wants/undo.service\n",
    );
    let recipe = fs::read_to_string(maintainer.folder().join("research-desktop.toml")).unwrap();
    let broken = recipe.replace("name = \"research-desktop\"", "name = \"broken\"")
        + "\n[[script]]\npath = \"break.sh\"\n";
    maintainer.write("broken.toml", &broken);

    let refused = maintainer.run(&["build", "broken.toml", "--out", "out"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(
        refused.text().contains("kptr_restrict"),
        "the control is not named: {refused}"
    );
    assert!(!maintainer.folder().join("out/broken-1.0.0").exists());
    assert!(
        maintainer
            .folder()
            .join("out/broken-1.0.0.rejected/report.json")
            .exists()
    );
}
