//! The thread on which all stand-ins of this process run, inside the Azure namespace.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::{TcpListener, UdpSocket};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::Lab;
use super::certificates::Certificates;
use super::names::forward;
use super::network::{Network, Place, addresses};
use super::site::{Respond, Site};
use super::storage::{Caller, Shut};

/// The thread, its runtime and how it ends.
#[derive(Debug)]
pub struct Services {
    runtime: Handle,
    tls: TlsAcceptorOf,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Rustls has no `Debug` for an acceptor.
#[derive(Clone)]
struct TlsAcceptorOf(TlsAcceptor);

impl std::fmt::Debug for TlsAcceptorOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

impl Services {
    /// Starts the thread.
    pub fn start(network: &Network, certificates: &Certificates) -> Result<Self> {
        let tls = TlsAcceptorOf(TlsAcceptor::from(certificates.server()?));
        let (started, starts) = mpsc::channel();
        let (end, ends) = oneshot::channel();
        let network = network.clone();
        let thread = std::thread::Builder::new()
            .name("lab".into())
            .spawn(move || {
                let runtime = network.enter(Place::Azure).and_then(|()| {
                    Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .context("start a runtime")
                });
                let runtime = match runtime {
                    Ok(runtime) => runtime,
                    Err(broken) => return drop(started.send(Err(broken))),
                };
                drop(started.send(Ok(runtime.handle().clone())));
                // The lab ends it, or goes away: both are an end.
                drop(runtime.block_on(ends));
                runtime.shutdown_background();
            })?;
        let runtime = starts.recv().context("the lab's thread starts")??;
        Ok(Self {
            runtime,
            tls,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// How stand-ins call each other.
    pub fn caller(&self, certificates: &Certificates) -> Result<Caller> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(certificates.client()?)
            .https_only()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Client::builder(TokioExecutor::new()).build(tls))
    }

    /// Opens every stand-in of the lab at its address.
    pub fn open(&self, lab: &Lab) -> Result<()> {
        let secure = &lab.secure;
        self.listen(
            addresses::METADATA,
            80,
            lab.metadata.site.clone(),
            Arc::new(lab.metadata.clone()),
        )?;
        self.listen(
            addresses::LANDING,
            443,
            lab.landing.site.clone(),
            Arc::new(lab.landing.clone()),
        )?;
        self.listen(
            addresses::SECURE,
            443,
            secure.site.clone(),
            Arc::new(secure.clone()),
        )?;
        self.listen(
            addresses::SECURE_PUBLIC,
            443,
            secure.site.clone(),
            Arc::new(Shut),
        )?;
        self.listen(
            addresses::VAULT,
            443,
            lab.vault.site.clone(),
            Arc::new(lab.vault.clone()),
        )?;
        self.listen(
            addresses::LOGS,
            443,
            lab.logs.site.clone(),
            Arc::new(lab.logs.clone()),
        )?;
        self.listen(
            addresses::MANAGEMENT,
            443,
            lab.arm.site.clone(),
            Arc::new(lab.arm.clone()),
        )?;
        self.listen(
            addresses::LOGIN,
            443,
            lab.login.site.clone(),
            Arc::new(lab.login.clone()),
        )?;
        self.listen(addresses::SHUT, 443, Site::default(), Arc::new(Shut))?;
        let names = lab.names.clone();
        let socket = self.wait_for(UdpSocket::bind((addresses::RESOLVER, 53)))?;
        self.runtime.spawn(forward(names, socket?));
        self.runtime.spawn(lab.arm.data_factory.clone().watch());
        Ok(())
    }

    fn listen(
        &self,
        address: Ipv4Addr,
        port: u16,
        site: Site,
        respond: Arc<dyn Respond>,
    ) -> Result<()> {
        let listener = self
            .wait_for(TcpListener::bind((address, port)))?
            .with_context(|| format!("listen at {address}:{port}"))?;
        let tls = (port == 443).then(|| self.tls.0.clone());
        self.runtime.spawn(site.serve(listener, tls, respond));
        Ok(())
    }

    /// Does something on the lab's thread, and waits for its result.
    pub fn wait_for<T: Send + 'static>(
        &self,
        deed: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let (done, result) = mpsc::channel();
        self.runtime
            .spawn(async move { drop(done.send(deed.await)) });
        result.recv().context("the lab's thread ended")
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
