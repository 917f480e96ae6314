//! Requests by curl: a client that is none of ours.

use std::collections::BTreeMap;

use serde_json::Value;
use tests::lab::Lab;
use tests::lab::metadata;
use tests::lab::network::Place;
use tests::lab::token::mint;

/// An answer; status 0 is none.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// The code of the refusal, as all of Azure tells it.
    pub(crate) fn code(&self) -> &str {
        self.header("x-ms-error-code")
    }
}

/// Asks from a place.
pub(crate) fn ask(lab: &Lab, place: Place, arguments: &[&str]) -> Reply {
    let done = lab
        .command(place, "curl")
        .args([
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "10",
            "--globoff",
        ])
        .arg("--cacert")
        .arg(lab.authority())
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let (mut head, mut body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    while head.starts_with("HTTP/1.1 100") {
        (head, body) = body.split_once("\r\n\r\n").unwrap_or((body, ""));
    }
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Reply {
        status: status.unwrap_or_default(),
        headers,
        body: body.to_owned(),
    }
}

/// Asks with a token of the machine's own identity.
pub(crate) fn ask_as(lab: &Lab, audience: &str, arguments: &[&str]) -> Reply {
    ask_with(lab, &mint(&metadata::system(), audience, 600), arguments)
}

/// Asks with this token, from the runner.
pub(crate) fn ask_with(lab: &Lab, token: &str, arguments: &[&str]) -> Reply {
    let header = format!("Authorization: Bearer {token}");
    let version = "x-ms-version: 2021-12-02";
    let mut all = vec!["--header", &header, "--header", version];
    all.extend(arguments);
    ask(lab, Place::Runner, &all)
}
