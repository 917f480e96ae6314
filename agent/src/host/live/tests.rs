//! The real file system, under a root folder of the test's own.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

struct Lab {
    folder: tempfile::TempDir,
    host: Live,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Live::at(folder.path()).unwrap();
        Self { folder, host }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    fn file(&self, path: &str, text: &str, mode: u32) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn links_never_lead_out_of_the_root() {
    let lab = Lab::new();
    lab.file("/etc/inside", "in", 0o644);
    fs::create_dir_all(lab.path("/x")).unwrap();
    symlink("/etc/inside", lab.path("/x/absolute")).unwrap();
    symlink("../../../../etc/inside", lab.path("/x/relative")).unwrap();
    symlink("/etc/passwd", lab.path("/x/outside")).unwrap();
    symlink("/proc/self/root/etc/passwd", lab.path("/x/magic")).unwrap();
    let text = |path| lab.host.text(path).unwrap();
    assert_eq!(text("/x/absolute").as_deref(), Some("in"));
    assert_eq!(text("/x/relative").as_deref(), Some("in"));
    assert_eq!(text("/../../etc/inside").as_deref(), Some("in"));
    assert_eq!(text("/x/outside"), None);
    assert_eq!(text("/x/magic"), None);
    assert!(!lab.host.is_running());
}

#[test]
fn stat_is_of_the_link_and_list_is_sorted() {
    let lab = Lab::new();
    lab.file("/d/b", "", 0o4755);
    symlink("b", lab.path("/d/a")).unwrap();
    assert_eq!(lab.host.list("/d").unwrap().unwrap(), ["a", "b"]);
    assert_eq!(lab.host.stat("/d/a").unwrap().unwrap().kind, Kind::Link);
    assert_eq!(lab.host.read_link("/d/a").unwrap().as_deref(), Some("b"));
    assert_eq!(
        lab.host.stat("/d/b").unwrap().unwrap().mode.to_string(),
        "4755"
    );
    assert_eq!(lab.host.stat("/d/b/c").unwrap(), None);
    assert_eq!(lab.host.list("/e").unwrap(), None);
}

#[test]
fn pipe_does_not_make_the_reader_wait() {
    let lab = Lab::new();
    nix::unistd::mkfifo(&lab.path("/pipe"), NixMode::from_bits_truncate(0o600)).unwrap();
    let read = lab.host.read("/pipe");
    assert!(
        matches!(read, Err(HostError::NotRegular { .. })),
        "{read:?}"
    );
}

#[test]
fn file_is_replaced_with_its_mode_and_without_leftovers() {
    let mut lab = Lab::new();
    lab.file("/etc/a", "old", 0o640);
    lab.host
        .write("/etc/a", b"new", Mode::from_bits(0o600))
        .unwrap();
    lab.host
        .write("/etc/new/b", b"b", Mode::from_bits(0o440))
        .unwrap();
    assert_eq!(lab.host.text("/etc/a").unwrap().as_deref(), Some("new"));
    assert_eq!(lab.host.stat("/etc/a").unwrap().unwrap().mode.bits(), 0o640);
    assert_eq!(
        lab.host.stat("/etc/new/b").unwrap().unwrap().mode.bits(),
        0o440
    );
    assert_eq!(lab.host.list("/etc").unwrap().unwrap(), ["a", "new"]);
    lab.host.link("/etc/l", "/dev/null").unwrap();
    lab.host.link("/etc/l", "/dev/zero").unwrap();
    assert_eq!(
        lab.host.read_link("/etc/l").unwrap().as_deref(),
        Some("/dev/zero")
    );
    lab.host.remove("/etc/l").unwrap();
    assert_eq!(lab.host.list("/etc").unwrap().unwrap(), ["a", "new"]);
}

#[test]
fn nothing_is_written_or_changed_through_a_link() {
    let mut lab = Lab::new();
    lab.file("/etc/a", "old", 0o600);
    symlink("a", lab.path("/etc/l")).unwrap();
    let mode = Mode::from_bits(0o777);
    let is_link = |result| matches!(result, Err(HostError::IsLink { .. }));
    assert!(is_link(lab.host.write("/etc/l", b"new", mode)));
    assert!(is_link(lab.host.set_mode("/etc/l", mode)));
    assert_eq!(lab.host.text("/etc/a").unwrap().as_deref(), Some("old"));
    assert_eq!(lab.host.stat("/etc/a").unwrap().unwrap().mode.bits(), 0o600);
    lab.host.set_mode("/etc/a", mode).unwrap();
    assert_eq!(lab.host.stat("/etc/a").unwrap().unwrap().mode.bits(), 0o777);
}

#[test]
fn image_has_no_programs() {
    let mut lab = Lab::new();
    let asked = lab.host.ask(&Question::SshdStarts);
    assert!(matches!(asked, Err(HostError::NotRunning { .. })));
    let ordered = lab.host.order(&Order::ReloadUnits);
    assert!(matches!(ordered, Err(HostError::NotRunning { .. })));
}

/// On a disk that is full the old file stays, whole, and nothing else.
#[test]
fn full_disk_keeps_the_old_file() {
    let thread = std::thread::spawn(|| {
        use nix::mount::MsFlags;
        use nix::sched::{CloneFlags, unshare};
        let mut lab = Lab::new();
        let mounted = unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS)
            .and_then(|()| {
                let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
                nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
            })
            .and_then(|()| {
                let (tmpfs, size) = (Some("tmpfs"), Some("size=16k"));
                nix::mount::mount(tmpfs, lab.folder.path(), tmpfs, MsFlags::empty(), size)
            });
        if let Err(errno) = mounted {
            eprintln!("skipped: no small disk can be mounted: {errno}");
            return;
        }
        lab.host = Live::at(lab.folder.path()).unwrap();
        lab.file("/a", "old", 0o600);
        let written = lab
            .host
            .write("/a", &vec![b'x'; 65536], Mode::from_bits(0o600));
        let error = written.unwrap_err().chain();
        assert!(error.contains("No space left on device"), "{error}");
        assert_eq!(lab.host.text("/a").unwrap().as_deref(), Some("old"));
        assert_eq!(lab.host.list("/").unwrap().unwrap(), ["a"]);
    });
    thread.join().unwrap();
}
