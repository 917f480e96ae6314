//! Answers, and reading what was asked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Site;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// An answer.
pub type Answer = Response<Body>;

/// The largest body a stand-in reads whole.
const LARGEST: usize = 16 << 20;

/// A request that waits for its answer.
#[derive(Debug)]
pub struct Call {
    /// Who asks, by address.
    pub from: IpAddr,
    head: Parts,
    body: Option<Incoming>,
    site: Site,
    number: usize,
}

impl Call {
    pub(super) const fn new(
        from: IpAddr,
        head: Parts,
        body: Incoming,
        site: Site,
        number: usize,
    ) -> Self {
        Self {
            from,
            head,
            body: Some(body),
            site,
            number,
        }
    }

    /// Its method.
    pub const fn method(&self) -> &Method {
        &self.head.method
    }

    /// Its path, as sent.
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    /// Its path, in pieces, percent-decoded.
    pub fn pieces(&self) -> Vec<String> {
        self.path()
            .split('/')
            .filter(|piece| !piece.is_empty())
            .map(decode)
            .collect()
    }

    /// Its path and query, as sent.
    pub fn target(&self) -> &str {
        self.head
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str())
    }

    /// The names and values of its query, in order.
    pub fn queries(&self) -> Vec<(String, String)> {
        let query = self.head.uri.query().unwrap_or_default();
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }

    /// One value of its query.
    pub fn query(&self, name: &str) -> Option<String> {
        self.queries()
            .into_iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    /// All of its headers.
    pub const fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The host it is addressed to, without the port.
    pub fn host(&self) -> String {
        host(&self.head.headers)
    }

    /// Its whole body, which is recorded.
    pub async fn body(&mut self) -> Result<Bytes, Answer> {
        let Some(body) = self.body.take() else {
            return Ok(Bytes::new());
        };
        match Limited::new(body, LARGEST).collect().await {
            Ok(collected) => {
                let bytes = collected.to_bytes();
                self.site
                    .note(self.number, |asked| asked.body = bytes.to_vec());
                Ok(bytes)
            }
            Err(broken) => Err(error(400, "BadRequest", &broken.to_string())),
        }
    }

    /// Its whole body as JSON, which is recorded.
    pub async fn json(&mut self) -> Result<Value, Answer> {
        let body = self.body().await?;
        let json = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"));
        if !json {
            let message =
                "The content media type is not supported. Only 'application/json' is supported.";
            return Err(error(415, "UnsupportedMediaType", message));
        }
        serde_json::from_slice(&body).map_err(|broken| {
            let message = format!(
                "The request content was invalid and could not be deserialized: '{broken}'."
            );
            error(400, "InvalidRequestContent", &message)
        })
    }

    /// Its body, to be passed on as it comes.
    pub fn stream(&mut self) -> Body {
        self.body
            .take()
            .map_or_else(empty_body, |body| body.map_err(Into::into).boxed_unsync())
    }
}

/// The host that headers name, without the port.
pub(super) fn host(headers: &HeaderMap) -> String {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    host.split(':')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// Undoes percent-encoding; what is not valid stays as it is.
pub fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low),
            _ => None,
        };
        if let Some(byte) = escaped {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn empty_body() -> Body {
    whole(Bytes::new())
}

/// A body that is there already.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer without a body.
pub fn empty(status: u16) -> Answer {
    raw(status, Bytes::new())
}

/// An answer whose body says nothing of its kind.
pub fn raw(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(whole(body));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

/// A JSON answer.
pub fn json_answer(status: u16, body: &Value) -> Answer {
    let mut answer = raw(status, body.to_string());
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    answer
}

/// A refusal in the words of Azure's management services.
pub fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "error": { "code": code, "message": message } });
    with(json_answer(status, &body), "x-ms-error-code", code)
}

/// A refusal in the words of Azure's storage.
pub fn storage_error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let answer = with(raw(status, body), "content-type", "application/xml");
    with(answer, "x-ms-error-code", code)
}

/// The same answer with one more header. A value that no header can hold is left out.
pub fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    answer
}

/// Names and values of an `application/x-www-form-urlencoded` body.
pub fn form(body: &[u8]) -> BTreeMap<String, String> {
    String::from_utf8_lossy(body)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(&value.replace('+', " "))))
        .collect()
}
