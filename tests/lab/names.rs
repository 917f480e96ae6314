//! Azure's resolver: dnsmasq with the private zones, behind a forwarder that can be slow or silent.

mod forwarder;

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use super::network::{Network, Place, addresses};
use super::run::{Run, wait_for};
use super::{logs, storage, vault};

pub(super) use forwarder::forward;

/// Where dnsmasq itself listens, for the forwarder only.
const BEHIND: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 5353);

/// What a private name is answered with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Answers {
    /// Its private endpoint's address, through the `privatelink` zone.
    #[default]
    Private,
    /// The public address: what one gets outside the virtual network, or when the zone is not linked.
    Public,
    /// That there is no such name: the zone is linked but has no record.
    NoSuchName,
}

/// The resolver.
#[derive(Clone, Debug)]
pub struct Names {
    state: Arc<Mutex<State>>,
    network: Network,
    folder: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    answers: Answers,
    delay: Option<Duration>,
    silent: bool,
    asked: Vec<String>,
    server: Option<Child>,
    generation: u32,
}

/// A name with a private endpoint: the account or vault, its zone, its private and public address.
struct Endpoint {
    name: String,
    link: String,
    private: Ipv4Addr,
    public: Ipv4Addr,
}

impl Names {
    pub(super) fn start(run: &Run, network: &Network) -> Result<Self> {
        let names = Self {
            state: Arc::default(),
            network: network.clone(),
            folder: run.folder().join("names"),
        };
        fs::create_dir_all(&names.folder)?;
        names.answer(Answers::Private)?;
        Ok(names)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What private names are answered with from now on.
    pub fn answer(&self, answers: Answers) -> Result<()> {
        let mut state = self.state();
        if let Some(mut server) = state.server.take() {
            server.kill()?;
            server.wait()?;
        }
        state.answers = answers;
        state.generation += 1;
        let config = self.folder.join("dnsmasq.conf");
        let pid = self.folder.join(format!("{}.pid", state.generation));
        fs::write(&config, configuration(answers))?;
        let server = self
            .network
            .command(Place::Azure, "dnsmasq")
            .arg("--keep-in-foreground")
            .arg(format!("--conf-file={}", config.display()))
            .arg(format!("--pid-file={}", pid.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.folder.join("dnsmasq.log"))?)
            .spawn()
            .context("start dnsmasq")?;
        state.server = Some(server);
        // It writes its pid once its sockets are open.
        wait_for("dnsmasq", Duration::from_secs(5), || pid.exists())
    }

    /// Ends every switch, and forgets what was asked.
    pub(super) fn heal(&self) -> Result<()> {
        let mut state = self.state();
        state.delay = None;
        state.silent = false;
        state.asked.clear();
        let as_ever = state.answers == Answers::Private;
        drop(state);
        if as_ever {
            Ok(())
        } else {
            self.answer(Answers::Private)
        }
    }

    /// Makes every answer so late from now on; nothing for no delay.
    pub fn slow(&self, by: Option<Duration>) {
        self.state().delay = by;
    }

    /// Makes the resolver swallow every question, or answer again.
    pub fn silent(&self, silent: bool) {
        self.state().silent = silent;
    }

    /// The names that were asked for so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            drop(server.kill());
            drop(server.wait());
        }
    }
}

fn endpoints() -> Vec<Endpoint> {
    let blob = |account: &str, private, public| Endpoint {
        name: format!("{account}.blob.core.windows.net"),
        link: format!("{account}.privatelink.blob.core.windows.net"),
        private,
        public,
    };
    vec![
        blob(storage::SECURE, addresses::SECURE, addresses::SECURE_PUBLIC),
        Endpoint {
            name: vault::HOST.to_owned(),
            link: vault::HOST.replace(".vault.azure.net", ".privatelink.vaultcore.azure.net"),
            private: addresses::VAULT,
            public: addresses::SHUT,
        },
        Endpoint {
            name: logs::HOST.to_owned(),
            link: logs::HOST.replace(".ingest.", ".privatelink."),
            private: addresses::LOGS,
            public: addresses::SHUT,
        },
    ]
}

fn configuration(answers: Answers) -> String {
    let fixed = "user=root\nno-resolv\nno-hosts\nbind-interfaces\nlisten-address=127.0.0.1\nport=5353\n\
         cache-size=0\nlocal-ttl=10\n# Nothing beyond the lab: what is not named here does not exist.\nlocal=/#/\n";
    let mut lines = vec![fixed.to_owned()];
    let mut line =
        |name: &str, address: Ipv4Addr| lines.push(format!("host-record={name},{address}\n"));
    line(
        &format!("{}.blob.core.windows.net", storage::LANDING),
        addresses::LANDING,
    );
    line(
        &format!("{}.blob.core.windows.net", storage::DIRECT),
        addresses::STORAGE_DIRECT,
    );
    line("management.azure.com", addresses::MANAGEMENT);
    line("login.microsoftonline.com", addresses::LOGIN);
    for endpoint in endpoints() {
        match answers {
            Answers::Private => {
                line(&endpoint.link, endpoint.private);
            }
            Answers::Public => line(&endpoint.link, endpoint.public),
            Answers::NoSuchName => {}
        }
    }
    for endpoint in endpoints() {
        lines.push(format!("cname={},{}\n", endpoint.name, endpoint.link));
    }
    lines.concat()
}
