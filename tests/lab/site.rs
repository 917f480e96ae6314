//! What every stand-in is: a server that records what it was asked and fails on demand.

/// What can be made to go wrong.
pub mod fault;
/// Answers, and reading what was asked.
pub mod message;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::Result;
use async_trait::async_trait;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use fault::{Failure, Fault};
use message::{Answer, Call};

/// One request as it came, and how it was answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When.
    pub at: Instant,
    /// Who, by address.
    pub from: IpAddr,
    /// `GET`, `PUT`, …
    pub method: String,
    /// The host it was addressed to.
    pub host: String,
    /// The path, as sent.
    pub path: String,
    /// The query, as sent.
    pub query: String,
    /// The headers, names in lower case. A bearer token is replaced by `Bearer …`.
    pub headers: BTreeMap<String, String>,
    /// The body, where the stand-in reads it whole; empty where it is passed on.
    pub body: Vec<u8>,
    /// The status of the answer; nothing while there is none.
    pub answered: Option<u16>,
}

impl Asked {
    /// The request line without the host: `PUT /path?query`.
    pub fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A stand-in as a test sees it: what it was asked, and what goes wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Site(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    asked: Vec<Asked>,
    faults: Vec<Fault>,
}

/// What a stand-in does with a request.
#[async_trait]
pub trait Respond: Send + Sync + 'static {
    /// Answers one request.
    async fn respond(&self, call: Call) -> Answer;
}

impl Site {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything it was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.record().asked.clone()
    }

    /// The request lines of what it was asked so far.
    pub fn lines(&self) -> Vec<String> {
        self.record().asked.iter().map(Asked::line).collect()
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        self.record().asked.clear();
    }

    /// Makes something go wrong from now on. The oldest fault that fits a request is played.
    pub fn fail(&self, fault: Fault) {
        self.record().faults.push(fault);
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.record().faults.clear();
    }

    /// Accepts connections for good, in plain text or over TLS.
    pub async fn serve(
        self,
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        respond: Arc<dyn Respond>,
    ) {
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                continue;
            };
            let (site, respond, tls) = (self.clone(), Arc::clone(&respond), tls.clone());
            tokio::spawn(async move {
                drop(stream.set_nodelay(true));
                let service = service_fn(|request| site.answer(request, peer, &*respond));
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new());
                // A connection that breaks is the client's to notice.
                match tls {
                    None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else {
                            return;
                        };
                        drop(http.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        respond: &dyn Respond,
    ) -> Result<Answer, fault::Broken> {
        let (head, body) = request.into_parts();
        let (number, failure) = {
            let mut record = self.record();
            record.asked.push(Asked {
                at: Instant::now(),
                from: peer.ip(),
                method: head.method.to_string(),
                host: message::host(&head.headers),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: plain(&head.headers),
                body: Vec::new(),
                answered: None,
            });
            let line = record.asked.last().map(Asked::line).unwrap_or_default();
            let failure = Fault::of(&mut record.faults, &line);
            (record.asked.len() - 1, failure)
        };
        let call = Call::new(peer.ip(), head, body, self.clone(), number);
        let answer = match failure {
            None => respond.respond(call).await,
            Some(Failure::Late { by }) => {
                tokio::time::sleep(by).await;
                respond.respond(call).await
            }
            Some(Failure::Lost { status }) => {
                drop(respond.respond(call).await);
                message::empty(status.ok_or(fault::Broken)?)
            }
            Some(failure) => failure.play(call).await?,
        };
        self.note(number, |asked| {
            asked.answered = Some(answer.status().as_u16());
        });
        Ok(answer)
    }

    fn note(&self, number: usize, note: impl FnOnce(&mut Asked)) {
        // The record may have been forgotten meanwhile.
        if let Some(asked) = self.record().asked.get_mut(number) {
            note(asked);
        }
    }
}

fn plain(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let hidden = name == AUTHORIZATION && text.starts_with("Bearer ");
            (
                name.to_string(),
                if hidden {
                    "Bearer …".to_owned()
                } else {
                    text
                },
            )
        })
        .collect()
}
