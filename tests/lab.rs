//! The lab: everything of Azure that the programs talk to, on this machine.
//!
//! ```no_run
//! use tests::lab::{Lab, network::Place, site::fault::Fault};
//!
//! let lab = Lab::start()?;
//! lab.metadata.site.fail(Fault::status(429, "too_many_requests").retry_after("1").times(2));
//! lab.command(Place::Runner, "imagebuild").arg("stage").status()?;
//! assert!(lab.landing.site.lines().iter().any(|line| line.starts_with("PUT /landing/")));
//! # anyhow::Ok(())
//! ```
//!
//! It needs root: it makes network namespaces, and nothing outside of them but its folder. When it
//! is dropped, or its process ends in whatever way, all of that is removed.

#![expect(
    clippy::result_large_err,
    reason = "a refusal is a whole answer, and there is one for each request"
)]

pub mod arm;
pub mod certificates;
pub mod login;
pub mod logs;
pub mod metadata;
pub mod names;
pub mod network;
pub mod run;
pub mod schemas;
pub mod services;
pub mod site;
pub mod storage;
pub mod token;
pub mod vault;
pub mod vm;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Result, ensure};

use arm::Arm;
use certificates::Certificates;
use login::Login;
use logs::Logs;
use metadata::Metadata;
use names::Names;
use network::{Network, Place};
use run::Run;
use services::Services;
use storage::{Azurite, Storage};
use vault::Vault;

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    /// Management: Image Builder, Compute Gallery, Data Factory.
    pub arm: Arm,
    /// The account that data owners upload to.
    pub landing: Storage,
    /// Sign-in.
    pub login: Login,
    /// Log ingestion.
    pub logs: Logs,
    /// Instance metadata.
    pub metadata: Metadata,
    /// The resolver.
    pub names: Names,
    /// The namespaces.
    pub network: Network,
    /// The locked-down account.
    pub secure: Storage,
    /// Key Vault.
    pub vault: Vault,
    certificates: Arc<Certificates>,
    // Fields are dropped in this order: first what runs, last the keeper that removes the rest.
    services: Services,
    _azurite: Azurite,
    run: Run,
}

impl Lab {
    /// Whether this process may make namespaces. Where not, a test announces that it did nothing.
    pub fn is_possible() -> bool {
        nix::unistd::geteuid().is_root()
    }

    /// Starts all stand-ins.
    pub fn start() -> Result<Self> {
        ensure!(
            Self::is_possible(),
            "the lab makes network namespaces: run it as root"
        );
        let run = Run::begin()?;
        let network = Network::make(&run)?;
        let certificates = Arc::new(Certificates::make(&run.folder().join("certificates"))?);
        let mut azurite = Azurite::start(&run, &network, &certificates)?;
        let names = Names::start(&run, &network)?;
        let services = Services::start(&network, &certificates)?;
        let caller = services.caller(&certificates)?;
        let landing = Storage::new(storage::LANDING, storage::Lockdown::NONE, caller.clone());
        let secure = Storage::new(storage::SECURE, storage::Lockdown::FULL, caller.clone());
        let lab = Self {
            arm: Arm::new(&landing, caller)?,
            landing,
            login: Login::default(),
            logs: Logs::default(),
            metadata: Metadata::new(Arc::clone(&certificates)),
            names,
            secure,
            vault: Vault::new(run.folder().join("vault")),
            certificates,
            services,
            _azurite: {
                azurite.ready(&network)?;
                azurite
            },
            network,
            run,
        };
        lab.services.open(&lab)?;
        storage::prepare(&lab)?;
        Ok(lab)
    }

    /// Ends every fault and switch, and forgets what was asked. Blobs and resources stay.
    pub fn heal(&self) -> Result<()> {
        let sites = [
            &self.landing.site,
            &self.secure.site,
            &self.arm.site,
            &self.login.site,
        ];
        let more = [&self.logs.site, &self.metadata.site, &self.vault.site];
        for site in sites.into_iter().chain(more) {
            site.heal();
            site.forget();
        }
        self.arm.heal();
        self.metadata.heal();
        self.vault.challenge("https://vault.azure.net");
        self.landing.lockdown(storage::Lockdown::NONE);
        self.secure.lockdown(storage::Lockdown::FULL);
        self.names.heal()
    }

    /// The lab's authority, PEM: what a client must trust. [`Lab::command`] sets `SSL_CERT_FILE` to it.
    pub fn authority(&self) -> PathBuf {
        self.certificates.authority()
    }

    /// A folder of this run, gone after it.
    pub fn folder(&self) -> PathBuf {
        self.run.folder().join("scratch")
    }

    /// A program that will run at a place, trust the lab, and know of no proxy or other credential.
    pub fn command(&self, place: Place, program: &str) -> Command {
        let mut command = self.network.command(place, program);
        command.env("SSL_CERT_FILE", self.authority());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_ascii_uppercase();
            let steers = ["AZURE_", "IDENTITY_", "MSI_", "IMDS_"]
                .iter()
                .any(|start| text.starts_with(start));
            if steers || text.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs something on a thread that stands at a place.
    ///
    /// # Panics
    /// When `deed` does.
    pub fn inside<T: Send>(&self, place: Place, deed: impl FnOnce() -> T + Send) -> Result<T> {
        self.network.inside(place, deed)
    }
}
