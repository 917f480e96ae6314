//! Blob storage: Azurite, behind a front that adds what Azurite lacks.
//!
//! | account | reached at | the front adds |
//! |---|---|---|
//! | [`LANDING`] | its public address | recording, faults, 401 as the real one |
//! | [`SECURE`] | its private address; the public one is shut by the firewall | the same, versions and immutability |
//! | [`DIRECT`] | its public address | nothing: clients talk to Azurite itself |

mod azurite;
mod door;
mod front;
mod listing;
mod worm;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use jiff::Timestamp;
use uuid::Uuid;

use super::arm::data_factory::{self, DataFactory};
use super::network::addresses;
use super::site::Site;
use super::site::message::{Body, whole};
use super::token::{Identity, mint};

pub(super) use azurite::Azurite;
pub(super) use front::Shut;
use worm::Held;

/// The account that data owners upload to.
pub const LANDING: &str = "stlanding";
/// The locked-down account.
pub const SECURE: &str = "stsecure";
/// An account of the same Azurite without the lab's front: for measuring.
pub const DIRECT: &str = "stdirect";
/// The key of every account, for parties that cannot use tokens. Made up, as in Azurite's own documents.
pub const KEY: &str = "bGFiLWtleS1sYWIta2V5LWxhYi1rZXktbGFiLWtleS0hISE=";

/// How stand-ins call each other.
pub(super) type Caller = Client<HttpsConnector<HttpConnector>, Body>;

/// What the locked-down account does with what is written to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each switch stands for one thing that can be missing"
)]
pub struct Lockdown {
    /// Answers carry the version of a blob.
    pub versions: bool,
    /// What is written is immutable from then on, and answers say until when.
    pub immutable: bool,
    /// The policy is locked: nobody can lift it.
    pub locked: bool,
    /// The container says that it has an immutability policy.
    pub announced: bool,
}

impl Lockdown {
    /// Everything in place.
    pub const FULL: Self = Self {
        versions: true,
        immutable: true,
        locked: true,
        announced: true,
    };
    /// Nothing in place, as with an ordinary account.
    pub const NONE: Self = Self {
        versions: false,
        immutable: false,
        locked: false,
        announced: false,
    };
}

/// One account's stand-in.
#[derive(Clone, Debug)]
pub struct Storage {
    /// What it was asked, and what goes wrong with it.
    pub site: Site,
    account: &'static str,
    state: Arc<Mutex<State>>,
    caller: Caller,
}

#[derive(Debug)]
struct State {
    lockdown: Lockdown,
    strangers: Vec<Uuid>,
    held: Held,
    created: Vec<Created>,
}

/// A blob that was written whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Created {
    /// Its container.
    pub container: String,
    /// Its name, with slashes.
    pub name: String,
    /// When.
    pub at: Timestamp,
}

impl Storage {
    pub(super) fn new(account: &'static str, lockdown: Lockdown, caller: Caller) -> Self {
        let strangers = vec![Identity::numbered(999, "").object];
        let state = State {
            lockdown,
            strangers,
            held: Held::default(),
            created: Vec::new(),
        };
        Self {
            site: Site::default(),
            account,
            state: Arc::new(Mutex::new(state)),
            caller,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the account does with what is written from now on.
    pub fn lockdown(&self, lockdown: Lockdown) {
        self.state().lockdown = lockdown;
    }

    /// Takes all roles from an identity.
    pub fn forbid(&self, identity: &Identity) {
        self.state().strangers.push(identity.object);
    }

    /// Gives an identity its roles again.
    pub fn allow(&self, identity: &Identity) {
        self.state()
            .strangers
            .retain(|object| *object != identity.object);
    }

    /// The blobs that were written so far: what raises storage events.
    pub fn created(&self) -> Vec<Created> {
        self.state().created.clone()
    }

    /// The account's endpoint.
    pub fn endpoint(&self) -> String {
        endpoint(self.account)
    }
}

/// An account's endpoint.
pub fn endpoint(account: &str) -> String {
    format!("https://{account}.blob.core.windows.net")
}

/// Where the parts that npm brings are.
pub(super) fn azurite_program(cache: &Path) -> std::path::PathBuf {
    cache.join("azurite-3.37.0/node_modules/.bin/azurite-blob")
}

/// Makes the containers, and what Data Factory needs to know.
pub(super) fn prepare(lab: &super::Lab) -> anyhow::Result<()> {
    let caller = lab.landing.caller.clone();
    lab.services.wait_for(async move {
        for (account, container) in [
            (LANDING, data_factory::LANDING_CONTAINER),
            (SECURE, data_factory::IMPORT_CONTAINER),
            (DIRECT, data_factory::LANDING_CONTAINER),
        ] {
            let token = mint(&DataFactory::identity(), "https://storage.azure.com", 600);
            let request = hyper::Request::put(format!(
                "https://{}/{container}?restype=container",
                addresses::STORAGE_DIRECT
            ))
            .header("host", format!("{account}.blob.core.windows.net"))
            .header("authorization", format!("Bearer {token}"))
            .header("x-ms-version", "2021-12-02")
            .header("content-length", "0")
            .body(whole(bytes::Bytes::new()))?;
            let answer = caller.request(request).await?;
            anyhow::ensure!(
                answer.status() == 201,
                "container {container}: {}",
                answer.status()
            );
        }
        Ok(())
    })?
}
