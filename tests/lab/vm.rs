//! A researcher's machine: Debian under systemd, with the agent installed as a user would.

mod root;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Lab;
use super::network::Place;
use crate::repository;

/// The researcher's account on the machine.
pub const RESEARCHER: &str = "researcher";
/// The operator's account, in the group `admins` and in sudoers.
pub const OPERATOR: &str = "admin";
/// The password of both.
pub const PASSWORD: &str = "lab-password";
/// The folder that the machine shares with [`Vm::shared`].
pub const SHARED: &str = "/lab";

/// A running machine. It ends when it is dropped.
#[derive(Debug)]
pub struct Vm {
    nspawn: Child,
    leader: u32,
    shared: PathBuf,
    log: PathBuf,
}

/// What a machine is made with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The agent's package; none for a machine without the agent.
    pub package: Option<PathBuf>,
    /// Files that are there before it boots, by their path on the machine.
    pub files: Vec<(String, String)>,
}

impl Setup {
    /// With the agent's package as it was built last, or as `DSVM_AGENT_DEB` names it.
    pub fn with_agent() -> Result<Self> {
        Ok(Self {
            package: Some(package()?),
            files: Vec::new(),
        })
    }

    /// With one more file.
    #[must_use]
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.to_owned(), text.to_owned()));
        self
    }
}

impl Lab {
    /// Boots the researcher's machine, in under 20 seconds once its root is cached.
    ///
    /// Everything it writes is gone with it: the root is covered by a layer in memory.
    pub fn vm(&self, setup: &Setup) -> Result<Vm> {
        let root = root::cached()?;
        let shared = self.folder();
        fs::create_dir_all(&shared)?;
        let log = shared.join("boot.log");
        let mut command = Command::new(repository::top().join("tests/lab/vm/boot.sh"));
        command
            .arg(self.run.name())
            .args([
                "systemd-nspawn",
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--boot",
                "--volatile=overlay",
            ])
            .args([
                "--console=pipe",
                "--resolv-conf=off",
                "--timezone=off",
                "--hostname=dsvm-01",
            ])
            // What an ordinary machine may do and a container may not.
            .args([
                "--capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_PTRACE",
                "--bind=/dev/fuse",
            ])
            .arg(format!("--machine={}", self.run.name()))
            .arg(format!("--directory={}", root.display()))
            .arg(format!(
                "--network-namespace-path={}",
                self.network.file(Place::Vm).display()
            ))
            .arg(format!("--bind={}:{SHARED}", shared.display()))
            .arg(bind(
                &self.authority(),
                "/etc/ssl/certs/ca-certificates.crt",
            ))
            .arg(bind(&self.authority(), "/etc/ssl/certs/lab.pem"))
            .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "network");
        let files = self.run.folder().join("vm-files");
        fs::create_dir_all(&files)?;
        for (number, (path, text)) in setup.files.iter().enumerate() {
            let file = files.join(number.to_string());
            fs::write(&file, text)?;
            command.arg(bind(&file, path));
        }
        if let Some(package) = &setup.package {
            command.arg(bind(package, "/var/tmp/dsvm-agent.deb"));
        }
        let said = fs::File::create(&log)?;
        let nspawn = command
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .context("start systemd-nspawn")?;
        let mut vm = Vm {
            nspawn,
            leader: 0,
            shared,
            log,
        };
        vm.wait(self)?;
        if setup.package.is_some() {
            let install = "DEBIAN_FRONTEND=noninteractive dpkg --install /var/tmp/dsvm-agent.deb";
            let done = vm.command("sh").args(["-c", install]).output()?;
            ensure!(done.status.success(), "dpkg: {}", said_of(&done));
        }
        Ok(vm)
    }
}

impl Vm {
    fn wait(&mut self, lab: &Lab) -> Result<()> {
        let began = Instant::now();
        loop {
            std::thread::sleep(Duration::from_millis(100));
            let ended = self.nspawn.try_wait()?;
            ensure!(ended.is_none(), "the machine ended: {}", self.boot_log());
            ensure!(
                began.elapsed() < Duration::from_mins(1),
                "the machine does not come up: {}",
                self.boot_log()
            );
            if self.leader == 0 {
                self.leader = leader(&lab.network.namespace(Place::Vm))?.unwrap_or_default();
                continue;
            }
            let state = self
                .command("systemctl")
                .arg("is-system-running")
                .output()?;
            match String::from_utf8_lossy(&state.stdout).trim() {
                // The desktop's server listens a moment after systemd calls it started.
                "running" if self.listens(22) && self.listens(3389) => return Ok(()),
                "degraded" => {
                    let failed = self.run("systemctl", &["--failed", "--no-legend", "--plain"])?;
                    bail!("the machine is degraded: {failed}");
                }
                _ => {}
            }
        }
    }

    /// Whether something on the machine listens at a TCP port.
    pub fn listens(&self, port: u16) -> bool {
        ["tcp", "tcp6"].iter().any(|family| {
            let sockets = fs::read_to_string(format!("/proc/{}/net/{family}", self.leader))
                .unwrap_or_default();
            // Columns: number, local address, remote address, state (0A listens).
            sockets
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>())
                .any(|columns| {
                    columns
                        .get(1)
                        .is_some_and(|local| local.ends_with(&format!(":{port:04X}")))
                        && columns.get(3) == Some(&"0A")
                })
        })
    }

    /// A program that will run on the machine, as root, and know nothing of this process's environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.leader.to_string(), "--all", "--"])
            .args([
                "env",
                "--ignore-environment",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root",
                "LANG=C.UTF-8",
            ])
            .args(["SSL_CERT_FILE=/etc/ssl/certs/lab.pem", program]);
        command
    }

    /// A program that will run on the machine as somebody else, in a session of theirs.
    pub fn command_as(&self, user: &str, program: &str) -> Command {
        let mut command = self.command("runuser");
        command.args(["--user", user, "--", program]);
        command
    }

    /// Runs a program on the machine to its good end; what it said.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let done = self.command(program).args(arguments).output()?;
        ensure!(
            done.status.success(),
            "{program} {}: {}",
            arguments.join(" "),
            said_of(&done)
        );
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// The machine's first process, as this machine numbers it: `/proc/N/root` is its root.
    pub const fn leader(&self) -> u32 {
        self.leader
    }

    /// The machine's root, from outside.
    pub fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.leader))
    }

    /// The folder that the machine has as [`SHARED`].
    pub fn shared(&self) -> &Path {
        &self.shared
    }

    /// What the machine said while it booted.
    pub fn boot_log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        if self.leader != 0
            && let Ok(leader) = i32::try_from(self.leader)
        {
            // Its end is the end of every process on the machine, and of nspawn.
            kill(Pid::from_raw(leader), Signal::SIGKILL).unwrap_or_default();
        } else {
            drop(self.nspawn.kill());
        }
        drop(self.nspawn.wait());
    }
}

fn bind(from: &Path, to: &str) -> String {
    format!("--bind-ro={}:{to}", from.display())
}

fn said_of(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
    .trim()
    .to_owned()
}

/// The first process of the machine: the one in the namespace whose innermost number is 1.
fn leader(namespace: &str) -> Result<Option<u32>> {
    let listed = Command::new("ip")
        .args(["netns", "pids", namespace])
        .output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    Ok(listed
        .lines()
        .filter_map(|pid| pid.trim().parse().ok())
        .find(|pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let numbers = status
                .lines()
                .find_map(|line| line.strip_prefix("NSpid:"))
                .unwrap_or_default();
            let numbers: Vec<_> = numbers.split_whitespace().collect();
            numbers.len() > 1 && numbers.last() == Some(&"1")
        }))
}

/// The agent's package: what `DSVM_AGENT_DEB` names, or the newest in the target folders.
fn package() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("DSVM_AGENT_DEB") {
        return Ok(named.into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let folders = [target, Some(repository::top().join("target"))];
    let mut found: Vec<_> = folders
        .into_iter()
        .flatten()
        .filter_map(|target| fs::read_dir(target.join("debian")).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_string_lossy().into_owned();
            let ours = name.starts_with("dsvm-agent_") && name.ends_with("_amd64.deb");
            let made = fs::metadata(&path).and_then(|data| data.modified()).ok()?;
            ours.then_some((made, path))
        })
        .collect();
    found.sort();
    let (_, newest) = found
        .pop()
        .context("there is no package of the agent: `make deb` makes it")?;
    Ok(newest)
}
