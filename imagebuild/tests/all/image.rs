//! Images, read without booting them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::Value;

use crate::desk::Desk;

/// Makes a disk with one ext4 partition that holds the files of a folder.
fn disk(desk: &Desk, folder: &str, name: &str) {
    let size = 16 << 20;
    let made = Command::new("mke2fs")
        .args([
            "-q",
            "-t",
            "ext4",
            "-E",
            "root_owner=0:0",
            "-d",
            folder,
            "part",
            "16M",
        ])
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(desk.folder())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut head = vec![0; 1 << 20];
    head[512..520].copy_from_slice(b"EFI PART");
    head[512 + 72] = 2;
    head[512 + 80] = 128;
    head[512 + 84] = 128;
    let linux = hex::decode("af3dc60f838472478e793d69d8477de4").unwrap();
    head[1024..1040].copy_from_slice(&linux);
    let (first, last) = (2048_u64, 2047_u64 + size / 512);
    head[1056..1064].copy_from_slice(&first.to_le_bytes());
    head[1064..1072].copy_from_slice(&last.to_le_bytes());
    let part = fs::read(desk.path("part")).unwrap();
    desk.write(name, [head, part].concat());
}

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
}

/// A root with one of everything that is compared.
fn root(desk: &Desk, name: &str) {
    let status =
        "Package: xrdp\nStatus: install ok installed\nVersion: 0.9.21-1\nArchitecture: amd64\n";
    for (path, text) in [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
        ("etc/group", "root:x:0:\nresearchers:x:1001:bob\n"),
        ("etc/motd", "hello"),
        ("usr/bin/sudo", "sudo"),
        ("var/lib/dpkg/status", status),
        (
            "opt/v/lib/python3.11/site-packages/natsort-8.4.0.dist-info/METADATA",
            "Name: natsort\nVersion: 8.4.0\n\nName: no\n",
        ),
    ] {
        desk.write(&format!("{name}/{path}"), text);
    }
    mode(&desk.path(&format!("{name}/usr/bin/sudo")), 0o4755);
    let wants = desk.path(&format!(
        "{name}/etc/systemd/system/multi-user.target.wants"
    ));
    fs::create_dir_all(&wants).unwrap();
    std::os::unix::fs::symlink("/lib/systemd/system/ssh.service", wants.join("ssh.service"))
        .unwrap();
}

#[test]
fn images_of_the_same_files_do_not_differ() {
    let desk = Desk::new();
    root(&desk, "a");
    root(&desk, "b");
    disk(&desk, "a", "a.raw");
    disk(&desk, "b", "b.raw");
    desk.run(&["diff", "a.raw", "b.raw"]).is(
        0,
        &[
            "the images do not differ",
            "listening sockets were not compared",
        ],
    );
}

#[test]
fn a_difference_is_shown_in_its_area() {
    let desk = Desk::new();
    root(&desk, "a");
    root(&desk, "b");
    desk.write("b/etc/motd", "hallo");
    desk.write("b/etc/group", "root:x:0:\nresearchers:x:1001:bob,eve\n");
    desk.write(
        "b/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\neve:x:1000:1000::/:/bin/sh\n",
    );
    desk.write("b/usr/bin/find", "find");
    mode(&desk.path("b/usr/bin/find"), 0o6755);
    mode(&desk.path("b/usr/bin/sudo"), 0o755);
    let status = fs::read_to_string(desk.path("b/var/lib/dpkg/status")).unwrap();
    desk.write(
        "b/var/lib/dpkg/status",
        status.replace("0.9.21-1", "0.9.21-2"),
    );
    let system = desk.path("b/etc/systemd/system");
    fs::remove_file(system.join("multi-user.target.wants/ssh.service")).unwrap();
    std::os::unix::fs::symlink("/dev/null", system.join("ssh.service")).unwrap();
    disk(&desk, "a", "a.raw");
    disk(&desk, "b", "b.raw");

    let said = desk.run(&["diff", "a.raw", "b.raw", "--format", "json"]);
    assert_eq!(said.code, 1, "{said}");
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let whats = |area: &str| -> Vec<String> {
        let changes = found[area].as_array().unwrap().iter();
        changes
            .map(|change| change["what"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(whats("packages"), ["xrdp:amd64"]);
    assert_eq!(found["packages"][0]["b"], "0.9.21-2");
    assert_eq!(whats("users"), ["eve"]);
    assert_eq!(whats("groups"), ["researchers"]);
    assert_eq!(whats("setuid"), ["/usr/bin/find", "/usr/bin/sudo"]);
    assert_eq!(
        whats("units"),
        ["multi-user.target.wants/ssh.service", "ssh.service"]
    );
    assert_eq!(
        whats("files"),
        [
            "/etc/group",
            "/etc/motd",
            "/etc/passwd",
            "/etc/systemd/system/multi-user.target.wants/ssh.service",
            "/etc/systemd/system/ssh.service",
            "/usr/bin/find",
            "/usr/bin/sudo",
            "/var/lib/dpkg/status",
        ]
    );
    assert!(
        found["files"][1]["b"].as_str().unwrap().contains("sha256"),
        "same size, other content"
    );
}

#[test]
fn packages_and_python_distributions_are_read_from_the_disk() {
    use imagebuild::image::{Image, packages};
    let desk = Desk::new();
    root(&desk, "a");
    disk(&desk, "a", "a.raw");
    let image = Image::open(&desk.path("a.raw")).unwrap();
    assert_eq!(packages::installed(&image).unwrap()[0].name, "xrdp");
    let python = packages::python(&image, "/opt/v").unwrap();
    assert_eq!(
        python.into_iter().collect::<Vec<_>>(),
        [("natsort".to_owned(), "8.4.0".to_owned())]
    );
    assert!(packages::python(&image, "/opt/none").unwrap().is_empty());
}

#[test]
fn a_damaged_image_is_an_error_not_a_panic() {
    let desk = Desk::new();
    root(&desk, "a");
    disk(&desk, "a", "a.raw");
    let whole = fs::read(desk.path("a.raw")).unwrap();
    for at in (1 << 20..whole.len()).step_by(389 << 10) {
        let mut bytes = whole.clone();
        bytes[at..at + 1024].fill(0xff);
        desk.write("b.raw", bytes);
        let said = desk.run(&["diff", "a.raw", "b.raw"]);
        assert!([0, 1, 3].contains(&said.code), "{at}: {said}");
        assert!(!said.err.contains("panicked"), "{at}: {said}");
    }
}
