//! The wire: how a request leaves the machine, and what may come back.
//!
//! No proxy but the configured one, no redirects (a token goes where it was sent and nowhere else), no
//! decompression, TLS with the system's roots, addresses vetted by `Addresses`, a deadline for the
//! connection and for every silence, and a limit to what an answer may hold.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request, Url};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::net::{Addresses, Refused};
use crate::setting::Setting;

/// Why there is no wire.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The client could not be made.
    #[error("failed to set up the connection to Azure")]
    Client {
        /// What is in the way.
        source: reqwest::Error,
    },
    /// The proxy is not one.
    #[error("failed to use the proxy `{proxy}`")]
    Proxy {
        /// The proxy of the setting.
        proxy: String,
        /// What is wrong with it.
        source: reqwest::Error,
    },
    /// The certificates could not be read.
    #[error("failed to read the certificates in `{}`", path.display())]
    RootCa {
        /// The file of the setting.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// There is nobody to trust.
    #[error("failed to trust anyone: neither the system nor the setting holds a root certificate")]
    Rootless,
    /// The cipher suites do not fit the protocol versions.
    #[error("failed to set up TLS")]
    Tls {
        /// What is in the way.
        source: rustls::Error,
    },
}

/// The wire to Azure.
#[derive(Clone, Debug)]
pub struct Wire {
    addresses: Addresses,
    client: reqwest::Client,
    most: u64,
}

impl Wire {
    /// A wire as the setting wants it.
    pub fn new(setting: &Arc<Setting>) -> Result<Self, WireError> {
        let addresses = Addresses::new(Arc::clone(setting));
        let client = plain()
            .dns_resolver(Arc::new(addresses.clone()))
            .tls_backend_preconfigured(tls(setting.root_ca.as_ref())?);
        let client = match &setting.proxy {
            Some(proxy) => client.proxy(through(proxy.as_str(), setting)?),
            None => client,
        };
        let client = client
            .build()
            .map_err(|source| WireError::Client { source })?;
        Ok(Self {
            addresses,
            client,
            most: ANSWER,
        })
    }
}

/// Most bytes of an answer. The longest one that is asked for is a block of a blob; a page of 5000 blobs or
/// a factory's activity runs stay far below.
const ANSWER: u64 = 64 * 1024 * 1024;

/// What every client has in common: the wire to Azure and the one to the metadata service.
pub(crate) fn plain() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .pool_idle_timeout(IDLE)
        .tcp_keepalive(KEEP_ALIVE)
}

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the other side may be silent. The service's own deadline for an operation is 30 s.
const SILENCE: Duration = Duration::from_secs(40);

/// How long an unused connection is kept. Azure's load balancers drop them after four minutes, silently.
const IDLE: Duration = Duration::from_mins(1);

/// How often a silent connection is tried, so that one that died with a moved VM is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A proxy for everything but the hosts that must be private: what a proxy resolves cannot be vetted.
fn through(proxy: &str, setting: &Arc<Setting>) -> Result<reqwest::Proxy, WireError> {
    let failed = |source| WireError::Proxy {
        proxy: proxy.to_owned(),
        source,
    };
    // Checked once here, so that the choice below cannot meet a proxy that is none.
    reqwest::Proxy::all(proxy).map_err(failed)?;
    let (url, setting) = (Url::parse(proxy).ok(), Arc::clone(setting));
    Ok(reqwest::Proxy::custom(move |request| {
        let host = request.host_str().unwrap_or_default();
        let direct = setting.private(host).is_some() || setting.pinned.contains_key(host);
        if direct { None } else { url.clone() }
    }))
}

/// TLS 1.2 and 1.3 with the system's roots and the setting's.
fn tls(extra: Option<&PathBuf>) -> Result<rustls::ClientConfig, WireError> {
    let mut roots = rustls::RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(%error, "root certificates of the system");
    }
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = extra {
        let failed = |source| WireError::RootCa {
            path: path.clone(),
            source,
        };
        let own: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
            .map_err(failed)?
            .collect();
        let (added, _ignored) = roots.add_parsable_certificates(own.map_err(failed)?);
        if added == 0 {
            return Err(failed(rustls::pki_types::pem::Error::NoItemsFound));
        }
    }
    if roots.is_empty() {
        return Err(WireError::Rootless);
    }
    trusting(roots)
}

/// TLS that trusts nobody, for a client that speaks plain text only.
pub(crate) fn no_tls() -> Result<rustls::ClientConfig, WireError> {
    trusting(rustls::RootCertStore::empty())
}

fn trusting(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig, WireError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| WireError::Tls { source })?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.addresses.check(request.url()).map_err(refusal)?;
        let response = self
            .client
            .execute_request(request)
            .await
            .map_err(final_if_refused)?;
        limited(response, request.method(), self.most)
    }
}

/// A refusal is not cured by trying again, so it is not an error of the connection.
pub(crate) fn refusal(refused: Refused) -> azure_core::Error {
    azure_core::Error::new(ErrorKind::Other, refused)
}

fn final_if_refused(error: azure_core::Error) -> azure_core::Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(this) = cause {
        match this.downcast_ref::<Refused>() {
            // A name that is not there (yet) and a slow resolver may do better the next time.
            Some(Refused::Nameless { .. } | Refused::Slow { .. }) => return error,
            Some(Refused::Astray { .. } | Refused::Plain { .. }) => {
                return azure_core::Error::with_error(ErrorKind::Other, error, "not connected");
            }
            None => cause = this.source(),
        }
    }
    error
}

/// An answer that is longer than it may be.
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {most} bytes")]
pub struct TooLong {
    /// How long it may be.
    pub most: u64,
}

/// Refuses an answer that announces too much, and cuts one off that does not.
pub(crate) fn limited(
    response: AsyncRawResponse,
    method: Method,
    most: u64,
) -> azure_core::Result<AsyncRawResponse> {
    let announced = response.headers().iter().find_map(|(name, value)| {
        (name.as_str() == "content-length")
            .then(|| value.as_str().parse::<u64>().ok())
            .flatten()
    });
    // To a HEAD the header says how long the blob is, not the answer.
    if method != Method::Head && announced.is_some_and(|announced| announced > most) {
        return Err(azure_core::Error::new(ErrorKind::Other, TooLong { most }));
    }
    let (status, headers, body) = response.deconstruct();
    let body = Limited {
        body: Box::pin(body),
        left: most,
        most,
    };
    Ok(AsyncRawResponse::new(status, headers, Box::pin(body)))
}

/// A body that ends in an error where it becomes too long.
struct Limited<S> {
    body: Pin<Box<S>>,
    left: u64,
    most: u64,
}

impl<S: Stream<Item = azure_core::Result<Bytes>>> Stream for Limited<S> {
    type Item = azure_core::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.body.poll_next_unpin(context);
        let Poll::Ready(Some(Ok(part))) = &next else {
            return next;
        };
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(length) else {
            let too_long = TooLong { most: self.most };
            return Poll::Ready(Some(Err(azure_core::Error::new(
                ErrorKind::Other,
                too_long,
            ))));
        };
        self.left = left;
        next
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::{StatusCode, headers::Headers};

    use super::*;

    fn response(parts: Vec<&'static [u8]>, announced: Option<&'static str>) -> AsyncRawResponse {
        let mut headers = Headers::new();
        if let Some(announced) = announced {
            headers.insert("content-length", announced);
        }
        let parts = parts.into_iter().map(|part| Ok(Bytes::from_static(part)));
        let body = Box::pin(futures::stream::iter(parts));
        AsyncRawResponse::new(StatusCode::Ok, headers, body)
    }

    #[tokio::test]
    async fn an_answer_that_announces_too_much_is_not_read() {
        let error = limited(response(vec![b"x"], Some("11")), Method::Get, 10).unwrap_err();
        assert!(error.downcast_ref::<TooLong>().is_some(), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_hides_its_length_is_cut_off() {
        let answer = limited(response(vec![b"12345", b"67890"], None), Method::Get, 9).unwrap();
        let error = answer.try_into_raw_response().await.unwrap_err();
        assert!(error.downcast_ref::<TooLong>().is_some(), "{error}");
    }

    #[tokio::test]
    async fn the_length_of_a_blob_is_not_the_length_of_the_answer_to_a_head() {
        let answer = limited(response(vec![], Some("9999999")), Method::Head, 10).unwrap();
        assert!(answer.try_into_raw_response().await.is_ok());
    }
}
