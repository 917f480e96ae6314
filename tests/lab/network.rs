//! The lab's network: three namespaces, one for Azure and one for each place that talks to it.
//!
//! ```text
//!  runner 10.20.1.4 ──┐
//!                     ├── azure: every address of `addresses`, and nothing beyond
//!      vm 10.20.2.4 ──┘
//! ```

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::run::Run;

/// Where the lab's services listen. Real ones where Azure's are fixed, made up elsewhere.
pub mod addresses {
    use std::net::Ipv4Addr;

    /// Azure's own resolver on every virtual network.
    pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    /// Instance metadata.
    pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
    /// Management.
    pub const MANAGEMENT: Ipv4Addr = Ipv4Addr::new(20, 50, 0, 10);
    /// Sign-in.
    pub const LOGIN: Ipv4Addr = Ipv4Addr::new(20, 50, 0, 20);
    /// The public address of everything else that is reached by a private endpoint: nobody is let in.
    pub const SHUT: Ipv4Addr = Ipv4Addr::new(20, 50, 0, 30);
    /// The landing account's public address.
    pub const LANDING: Ipv4Addr = Ipv4Addr::new(20, 60, 0, 10);
    /// The secure account's public address: it answers that the firewall forbids.
    pub const SECURE_PUBLIC: Ipv4Addr = Ipv4Addr::new(20, 60, 0, 20);
    /// The secure account's private endpoint.
    pub const SECURE: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 5);
    /// The vault's private endpoint.
    pub const VAULT: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 6);
    /// The private endpoint of log ingestion.
    pub const LOGS: Ipv4Addr = Ipv4Addr::new(10, 20, 0, 7);
    /// Blob storage without the lab's front: for measuring only.
    pub const STORAGE_DIRECT: Ipv4Addr = Ipv4Addr::new(20, 60, 0, 30);
    /// All of them.
    pub const ALL: [Ipv4Addr; 11] = [
        RESOLVER,
        METADATA,
        MANAGEMENT,
        LOGIN,
        SHUT,
        LANDING,
        SECURE_PUBLIC,
        SECURE,
        VAULT,
        LOGS,
        STORAGE_DIRECT,
    ];
}

/// A namespace, by what stands there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Azure: the stand-ins.
    Azure,
    /// The machine that builds images, in the virtual network.
    Runner,
    /// The researcher's machine.
    Vm,
}

impl Place {
    const ALL: [Self; 3] = [Self::Azure, Self::Runner, Self::Vm];

    const fn name(self) -> &'static str {
        match self {
            Self::Azure => "azure",
            Self::Runner => "runner",
            Self::Vm => "vm",
        }
    }

    /// The address of a machine there, as the stand-ins see it.
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Self::Azure => Ipv4Addr::LOCALHOST,
            Self::Runner => Ipv4Addr::new(10, 20, 1, 4),
            Self::Vm => Ipv4Addr::new(10, 20, 2, 4),
        }
    }
}

/// The three namespaces of one run. The run's keeper removes them.
#[derive(Clone, Debug)]
pub struct Network {
    run: String,
}

impl Network {
    /// Makes the namespaces, their links and addresses.
    pub fn make(run: &Run) -> Result<Self> {
        let network = Self {
            run: run.name().to_owned(),
        };
        for place in Place::ALL {
            let namespace = network.namespace(place);
            ip(&["netns", "add", &namespace])?;
            ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
            // `ip netns exec` lays these over /etc.
            let etc = PathBuf::from("/etc/netns").join(&namespace);
            fs::create_dir_all(&etc)?;
            fs::write(
                etc.join("resolv.conf"),
                format!("nameserver {}\n", addresses::RESOLVER),
            )?;
            fs::write(etc.join("hosts"), "127.0.0.1 localhost\n")?;
        }
        let azure = network.namespace(Place::Azure);
        for address in addresses::ALL {
            ip(&[
                "-n",
                &azure,
                "addr",
                "add",
                &format!("{address}/32"),
                "dev",
                "lo",
            ])?;
        }
        network.link(Place::Runner)?;
        network.link(Place::Vm)?;
        Ok(network)
    }

    fn link(&self, place: Place) -> Result<()> {
        let (azure, there) = (self.namespace(Place::Azure), self.namespace(place));
        let [a, b, c, _] = place.address().octets();
        let gateway = Ipv4Addr::new(a, b, c, 1);
        let address = format!("{}/24", place.address());
        // Both ends are born inside the namespaces: the host never sees them.
        ip(&[
            "link",
            "add",
            "name",
            place.name(),
            "netns",
            &azure,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            &there,
        ])?;
        ip(&[
            "-n",
            &azure,
            "addr",
            "add",
            &format!("{gateway}/24"),
            "dev",
            place.name(),
        ])?;
        ip(&["-n", &azure, "link", "set", place.name(), "up"])?;
        ip(&["-n", &there, "addr", "add", &address, "dev", "eth0"])?;
        ip(&["-n", &there, "link", "set", "eth0", "up"])?;
        ip(&[
            "-n",
            &there,
            "route",
            "add",
            "default",
            "via",
            &gateway.to_string(),
        ])
    }

    /// The name of a namespace, for `ip netns exec`.
    pub fn namespace(&self, place: Place) -> String {
        format!("{}-{}", self.run, place.name())
    }

    /// The file that holds a namespace.
    pub fn file(&self, place: Place) -> PathBuf {
        PathBuf::from("/run/netns").join(self.namespace(place))
    }

    /// A program that will run there.
    pub fn command(&self, place: Place, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(place), program]);
        command
    }

    /// Runs something on a thread of its own that stands there, with that place's resolver.
    ///
    /// Threads started from it stand there too.
    ///
    /// # Panics
    /// When `deed` does.
    pub fn inside<T: Send>(&self, place: Place, deed: impl FnOnce() -> T + Send) -> Result<T> {
        thread::scope(|scope| {
            let there = scope.spawn(|| self.enter(place).map(|()| deed()));
            there
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread there, for good.
    pub fn enter(&self, place: Place) -> Result<()> {
        let file = File::open(self.file(place)).context("open the namespace")?;
        setns(file, CloneFlags::CLONE_NEWNET).context("enter the namespace")?;
        unshare(CloneFlags::CLONE_NEWNS).context("leave the host's mounts")?;
        let nothing = None::<&str>;
        mount(
            nothing,
            "/",
            nothing,
            MsFlags::MS_REC | MsFlags::MS_SLAVE,
            nothing,
        )
        .context("keep mounts to this thread")?;
        let etc = PathBuf::from("/etc/netns").join(self.namespace(place));
        for name in ["hosts", "resolv.conf"] {
            let onto = PathBuf::from("/etc").join(name);
            mount(
                Some(&etc.join(name)),
                &onto,
                nothing,
                MsFlags::MS_BIND,
                nothing,
            )
            .with_context(|| format!("lay {name} over the host's"))?;
        }
        Ok(())
    }

    /// Makes an address swallow whatever is sent to it, or answer again.
    pub fn swallow(&self, address: Ipv4Addr, swallowed: bool) -> Result<()> {
        let azure = self.namespace(Place::Azure);
        let rules = if swallowed {
            format!(
                "add table ip lab_{0}\nadd chain ip lab_{0} input {{ type filter hook input priority 0; }}\n\
                 add rule ip lab_{0} input ip daddr {1} drop\n",
                u32::from(address),
                address
            )
        } else {
            format!("delete table ip lab_{}\n", u32::from(address))
        };
        let script = tempfile::NamedTempFile::new()?;
        fs::write(script.path(), rules)?;
        let done = Command::new("ip")
            .args(["netns", "exec", &azure, "nft", "-f"])
            .arg(script.path())
            .status()
            .context("run nft")?;
        ensure!(done.success(), "nft did not take the rules for {address}");
        Ok(())
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let done = Command::new("ip")
        .args(arguments)
        .output()
        .context("run ip")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "ip {}: {}",
        arguments.join(" "),
        said.trim()
    );
    Ok(())
}
