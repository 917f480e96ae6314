//! Azure Resource Manager: resources and lists of them. No token ever goes to another host than its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{Context, HttpClient, Method, Pipeline, Request, Url};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::Call;
use crate::clock;
use crate::door::OpenError;
use crate::error::Error;
use crate::patience::Patience;
use crate::retry::{self, Repeat};
use crate::setting::Setting;

/// Azure Resource Manager.
#[derive(Clone)]
pub struct Arm {
    root: Url,
    /// For what may be sent twice by its method.
    by_method: Pipeline,
    /// For a POST that only asks.
    same: Pipeline,
}

// The SDK's pipelines show all that is in them, down to the wire.
impl std::fmt::Debug for Arm {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Arm")
            .field("root", &self.root.as_str())
            .finish_non_exhaustive()
    }
}

/// How the object of a request is called in messages.
pub(crate) fn object(call: &Call, parts: &[&str]) -> String {
    let path = call.fill(parts);
    path.split_once('?')
        .map_or(path.clone(), |(path, _)| path.to_owned())
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    headers: Headers,
    pub body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers
            .get_optional_str(&HeaderName::from_static(name))
    }

    /// How long the service asks to wait before it is asked again.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry::asked(|name| self.header(name), clock::now())
    }
}

/// A link that is not followed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It leads in a circle.
    #[error("its pages go in a circle")]
    Circle,
    /// It leads to somebody else, who must not get the token.
    #[error("a link leads to `{host}` and is not followed")]
    Foreign {
        /// Where it leads.
        host: String,
    },
    /// It is no link.
    #[error("a link is not a URL")]
    Malformed,
    /// There are more items than anybody asked for.
    #[error("there are more than {most}")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
}

impl Arm {
    pub(crate) fn new(
        setting: &Setting,
        credential: &Arc<dyn TokenCredential>,
        wire: &Arc<dyn HttpClient>,
    ) -> Result<Self, OpenError> {
        let text = setting.resource_manager();
        let root = Url::parse(text).map_err(|_not_a_url| OpenError::Url {
            url: text.to_owned(),
        })?;
        let scope = format!("{text}/.default");
        let pipeline = |patience: Patience| pipeline(patience, &scope, credential, wire);
        let same = Patience {
            repeat: Some(Repeat::Same),
            ..Patience::SERVICE
        };
        Ok(Self {
            root,
            by_method: pipeline(Patience::SERVICE),
            same: pipeline(same),
        })
    }

    /// Sends a request of the table and reads its answer. `parts` is what varies in its path.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        call: &Call,
        parts: &[&str],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, Error> {
        let reply = self.send(call, parts, body, Repeat::Same).await?;
        let object = object(call, parts);
        serde_json::from_slice(&reply.body).map_err(|source| Error::because(call, object, source))
    }

    /// Lists all items of all pages; `most` at the most.
    pub async fn list<T: DeserializeOwned>(
        &self,
        call: &Call,
        parts: &[&str],
        most: usize,
    ) -> Result<Vec<T>, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            value: Vec<Value>,
            next_link: Option<String>,
        }
        let object = object(call, parts);
        let failed = |source: LinkError| Error::because(call, object.clone(), source);
        let mut next = Some(self.url(call, parts)?);
        let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some(url) = next {
            if !seen.insert(url.to_string()) {
                return Err(failed(LinkError::Circle));
            }
            let reply = self.to(call, &url, None, Repeat::Same).await?;
            let page: Page = serde_json::from_slice(&reply.body)
                .map_err(|source| Error::because(call, object.clone(), source))?;
            if items.len() + page.value.len() > most || seen.len() > PAGES {
                return Err(failed(LinkError::TooMany { most }));
            }
            for value in page.value {
                let item = serde_json::from_value(value);
                items.push(item.map_err(|source| Error::because(call, object.clone(), source))?);
            }
            next = match page.next_link.filter(|link| !link.is_empty()) {
                Some(link) => Some(self.own(&link).map_err(&failed)?),
                None => None,
            };
        }
        Ok(items)
    }

    /// Sends a request of the table.
    pub(crate) async fn send(
        &self,
        call: &Call,
        parts: &[&str],
        body: Option<&(impl Serialize + Sync)>,
        repeat: Repeat,
    ) -> Result<Reply, Error> {
        let url = self.url(call, parts)?;
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|source| Error::because(call, object(call, parts), source))?;
        self.to(call, &url, body.map(Bytes::from), repeat).await
    }

    /// Sends a request to a URL that is known to be this host's.
    pub(crate) async fn to(
        &self,
        call: &Call,
        url: &Url,
        body: Option<Bytes>,
        repeat: Repeat,
    ) -> Result<Reply, Error> {
        let object = url.path().to_owned();
        let method: Method = call
            .method
            .parse()
            .map_err(|source: azure_core::Error| Error::new(call, &object, source))?;
        let mut request = Request::new(url.clone(), method);
        request.insert_header("accept", "application/json");
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.set_body(body);
        }
        let pipeline = match repeat {
            Repeat::Same => &self.same,
            Repeat::Differs => &self.by_method,
        };
        let answer = pipeline.send(&Context::new(), &mut request, None).await;
        let (status, headers, body) = answer
            .map_err(|error| Error::new(call, &object, error))?
            .deconstruct();
        Ok(Reply {
            status: status.into(),
            headers,
            body: Bytes::copy_from_slice(body.as_ref()),
        })
    }

    /// The URL of a request of the table.
    pub(crate) fn url(&self, call: &Call, parts: &[&str]) -> Result<Url, Error> {
        let path = call.fill(parts);
        let url = self.root.join(&path).ok().filter(|url| self.is_own(url));
        let mut url =
            url.ok_or_else(|| Error::because(call, path.clone(), LinkError::Malformed))?;
        url.query_pairs_mut()
            .append_pair("api-version", call.version);
        Ok(url)
    }

    /// A link that the service gave, if it leads to the service itself.
    pub(crate) fn own(&self, link: &str) -> Result<Url, LinkError> {
        let url = Url::parse(link).map_err(|_not_a_url| LinkError::Malformed)?;
        if self.is_own(&url) {
            Ok(url)
        } else {
            Err(LinkError::Foreign {
                host: url.host_str().unwrap_or_default().to_owned(),
            })
        }
    }

    fn is_own(&self, url: &Url) -> bool {
        url.scheme() == self.root.scheme()
            && url.host_str() == self.root.host_str()
            && url.port_or_known_default() == self.root.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none()
    }
}

/// Most pages of a list. Pages may be empty, so their number says nothing about that of the items.
const PAGES: usize = 1000;

/// A pipeline of the SDK with our patience, our wire and a token of the given scope.
pub(crate) fn pipeline(
    patience: Patience,
    scope: &str,
    credential: &Arc<dyn TokenCredential>,
    wire: &Arc<dyn HttpClient>,
) -> Pipeline {
    let token = BearerTokenAuthorizationPolicy::new(Arc::clone(credential), [scope]);
    let token: Arc<dyn Policy> = Arc::new(token);
    Pipeline::new(
        option_env!("CARGO_PKG_NAME"),
        option_env!("CARGO_PKG_VERSION"),
        patience.options(wire),
        Vec::new(),
        vec![token],
        None,
    )
}

/// No body.
pub(crate) const NOTHING: Option<&()> = None;
