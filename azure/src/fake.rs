//! Stand-ins for tests: a wire that follows a script, one that fails on purpose, identities that do as told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode};
use bytes::Bytes;
use time::OffsetDateTime;

use crate::credential::{Identity, Managed};

/// A wire that answers what the test has written down, in order, and remembers what it was asked.
#[derive(Debug, Default)]
pub struct Script {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

/// An answer of a script.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// A request that a script was asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// All headers, with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
}

impl Asked {
    /// The first line: method and URL.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.url)
    }

    /// The line, the headers that say something (sorted), and the body: a whole request, to be compared.
    ///
    /// The token is shown by its length; ids that change with every request, and the name of this program, are
    /// left out.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.line();
        for (name, value) in &self.headers {
            match name.as_str() {
                "x-ms-client-request-id" | "user-agent" => {}
                "authorization" => text.push_str("\nauthorization: (token)"),
                _ => text.extend(["\n", name, ": ", value]),
            }
        }
        if !self.body.is_empty() {
            text.push_str("\n\n");
            text.push_str(&String::from_utf8_lossy(&self.body));
        }
        text
    }
}

impl Script {
    /// A script without answers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an answer.
    #[must_use]
    pub fn answer(self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        self.push(status, headers, body);
        self
    }

    /// Adds an answer to a script that is in use.
    pub fn push(&self, status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let answer = Answer {
            status,
            headers: headers.collect(),
            body: body.into(),
        };
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(answer);
    }

    /// What was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many answers are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

#[async_trait]
impl HttpClient for Script {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let asked = record(request);
        let line = asked.line();
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(asked);
        let answer = self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(answer) = answer else {
            let message = format!("the script has no answer to {line}");
            return Err(azure_core::Error::with_message(ErrorKind::Other, message));
        };
        let mut headers = Headers::new();
        for (name, value) in answer.headers {
            headers.insert(name, value);
        }
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::from(answer.status),
            headers,
            answer.body,
        ))
    }
}

fn record(request: &Request) -> Asked {
    let headers = request.headers().iter().map(|(name, value)| {
        (
            name.as_str().to_ascii_lowercase(),
            value.as_str().to_owned(),
        )
    });
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.clone(),
        Body::SeekableStream(_) => Bytes::from_static(b"(stream)"),
    };
    Asked {
        method: request.method().to_string(),
        url: request.url().to_string(),
        headers: headers.collect(),
        body,
    }
}

/// What a failing wire does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Breaks off after the request was sent.
    Break,
    /// Never answers.
    Hang,
    /// Answers with this status instead.
    Status(u16),
    /// Does not connect.
    Unconnected,
}

/// A wire that fails at chosen requests, counted from one, and is like another one otherwise.
#[derive(Debug)]
pub struct Failing {
    inner: Arc<dyn HttpClient>,
    faults: BTreeMap<usize, Fault>,
    count: AtomicUsize,
}

impl Failing {
    /// Fails as said.
    #[must_use]
    pub fn new(
        inner: Arc<dyn HttpClient>,
        faults: impl IntoIterator<Item = (usize, Fault)>,
    ) -> Self {
        Self {
            inner,
            faults: faults.into_iter().collect(),
            count: AtomicUsize::new(0),
        }
    }

    /// How many requests there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl HttpClient for Failing {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        match self.faults.get(&number) {
            None => self.inner.execute_request(request).await,
            Some(Fault::Break) => {
                // The service got it and did as it was asked; the answer is lost.
                drop(self.inner.execute_request(request).await);
                Err(azure_core::Error::with_message(
                    ErrorKind::Io,
                    "connection reset",
                ))
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Status(status)) => {
                let status = StatusCode::from(*status);
                Ok(AsyncRawResponse::from_bytes(status, Headers::new(), ""))
            }
            Some(Fault::Unconnected) => Err(azure_core::Error::with_message(
                ErrorKind::Connection,
                "connection refused",
            )),
        }
    }
}

/// The identity of a VM whose metadata service is at the other end of a link of the test's own.
#[must_use]
pub fn managed(identity: &Identity, link: Arc<dyn HttpClient>) -> Arc<dyn TokenCredential> {
    Arc::new(Managed::over(identity, link))
}

/// An identity that has a token, always.
#[derive(Debug)]
pub struct Fixed {
    token: &'static str,
}

impl Fixed {
    /// An identity with this token.
    #[must_use]
    pub const fn new(token: &'static str) -> Self {
        Self { token }
    }
}

#[async_trait]
impl TokenCredential for Fixed {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let expires = OffsetDateTime::now_utc() + Duration::from_hours(24);
        Ok(AccessToken::new(self.token, expires))
    }
}
