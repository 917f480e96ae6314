//! Instance metadata.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tests::lab::Lab;
use tests::lab::metadata::{Attested, Tokens, assigned, system};
use tests::lab::network::{Place, addresses};
use tests::lab::site::fault::Fault;
use tests::lab::token::claims;

use crate::curl::{Reply, ask};

const TOKEN: &str =
    "identity/oauth2/token?api-version=2019-08-01&resource=https://storage.azure.com";

fn get(lab: &Lab, path: &str) -> Reply {
    ask(
        lab,
        Place::Vm,
        &[
            "--header",
            "Metadata: true",
            &format!("http://169.254.169.254/metadata/{path}"),
        ],
    )
}

fn bearer(reply: &Reply) -> Value {
    let body = reply.json();
    assert_eq!(reply.status, 200, "{}", reply.body);
    claims(body["access_token"].as_str().unwrap()).expect("a token of the lab")
}

#[test]
fn token_is_for_the_machine_and_the_resource() {
    let Some(lab) = super::lab() else { return };
    let reply = get(&lab, TOKEN);
    let claims = bearer(&reply);
    assert_eq!(claims["aud"], "https://storage.azure.com");
    assert_eq!(claims["oid"], system().object.to_string());
    for field in [
        "expires_on",
        "expires_in",
        "not_before",
        "token_type",
        "resource",
    ] {
        assert!(reply.json()[field].is_string(), "{field} is a string");
    }
    // The service hands the same one out again.
    assert_eq!(
        get(&lab, TOKEN).json()["access_token"],
        reply.json()["access_token"]
    );

    let named = bearer(&get(
        &lab,
        &format!("{TOKEN}&client_id={}", assigned().client),
    ));
    assert_eq!(named["oid"], assigned().object.to_string());
    assert_eq!(
        get(&lab, &format!("{TOKEN}&client_id={}", uuid::Uuid::nil())).status,
        400
    );
    assert!(
        lab.metadata
            .site
            .asked()
            .iter()
            .all(|asked| asked.from == Place::Vm.address())
    );
}

#[test]
fn careless_requests_are_refused() {
    let Some(lab) = super::lab() else { return };
    let url = format!("http://169.254.169.254/metadata/{TOKEN}");
    assert_eq!(
        ask(&lab, Place::Vm, &[&url]).json()["error"],
        "bad_request_102"
    );
    let forwarded = [
        "--header",
        "Metadata: true",
        "--header",
        "X-Forwarded-For: 10.0.0.1",
        &url,
    ];
    assert_eq!(ask(&lab, Place::Vm, &forwarded).status, 400);
    let unversioned = get(&lab, "instance");
    assert_eq!(unversioned.status, 400);
    assert!(
        unversioned.json()["newest-versions"].is_array(),
        "{}",
        unversioned.body
    );
    assert_eq!(
        get(
            &lab,
            "instance?api-version=2021-02-01&api-version=2021-02-01"
        )
        .status,
        400
    );
    assert_eq!(
        get(&lab, "instance/compute/vmId?api-version=2021-02-01").status,
        400
    );
    let leaf = get(
        &lab,
        "instance/compute/vmId?api-version=2021-02-01&format=text",
    );
    assert_eq!(leaf.body, tests::lab::metadata::VM_ID);
}

#[test]
fn too_many_requests_are_refused_as_documented() {
    let Some(lab) = super::lab() else { return };
    let url = "http://169.254.169.254/metadata/instance?api-version=2021-02-01";
    let many = [
        "--header",
        "Metadata: true",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code} ",
        "--silent",
    ];
    let done = lab
        .command(Place::Vm, "curl")
        .args(many)
        .arg(format!("{url}&n=[1-12]"))
        .output()
        .unwrap();
    let codes = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(codes.contains("200") && codes.contains("429"), "{codes}");
}

#[test]
fn faults_are_played() {
    let Some(lab) = super::lab() else { return };
    let site = &lab.metadata.site;

    site.fail(Fault::status(410, "gone").lasting(Duration::from_millis(500)));
    assert_eq!(get(&lab, TOKEN).status, 410);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(get(&lab, TOKEN).status, 200);

    site.fail(Fault::status(429, "busy").retry_after("7").times(1));
    assert_eq!(get(&lab, TOKEN).header("retry-after"), "7");
    assert_eq!(get(&lab, TOKEN).status, 200);

    site.fail(
        Fault::garbage(200, "{\"access_token\":")
            .with("oauth2")
            .after(1)
            .times(1),
    );
    assert_eq!(get(&lab, TOKEN).status, 200);
    assert_eq!(get(&lab, TOKEN).body, "{\"access_token\":");

    site.fail(Fault::hang_up().times(1));
    assert_eq!(get(&lab, TOKEN).status, 0);
    site.fail(Fault::late(Duration::from_millis(300)).times(1));
    let began = Instant::now();
    assert_eq!(get(&lab, TOKEN).status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn tokens_are_wrong_on_demand() {
    let Some(lab) = super::lab() else { return };
    lab.metadata.tokens(Tokens::NumberedExpiry);
    assert!(get(&lab, TOKEN).json()["expires_on"].is_number());
    lab.metadata.tokens(Tokens::Expired);
    let expired = bearer(&get(&lab, TOKEN));
    assert!(expired["exp"].as_i64().unwrap() < jiff::Timestamp::now().as_second());
    lab.metadata.tokens(Tokens::OtherResource);
    assert_eq!(bearer(&get(&lab, TOKEN))["aud"], "https://example.org");
    lab.metadata.tokens(Tokens::OtherIdentity);
    assert_ne!(
        bearer(&get(&lab, TOKEN))["oid"],
        system().object.to_string()
    );
}

#[test]
fn unreachable_metadata_swallows_requests() {
    let Some(lab) = super::lab() else { return };
    let url = format!("http://169.254.169.254/metadata/{TOKEN}");
    lab.network.swallow(addresses::METADATA, true).unwrap();
    let swallowed = ask(
        &lab,
        Place::Vm,
        &["--header", "Metadata: true", "--connect-timeout", "1", &url],
    );
    lab.network.swallow(addresses::METADATA, false).unwrap();
    assert_eq!(swallowed.status, 0);
    assert_eq!(get(&lab, TOKEN).status, 200);
}

/// Verifies as a relying party would: with a program of its own.
fn verified(lab: &Lab, nonce: &str) -> Option<Value> {
    let reply = get(
        lab,
        &format!("attested/document?api-version=2021-02-01&nonce={nonce}"),
    );
    let signature = STANDARD.decode(reply.json()["signature"].as_str()?).ok()?;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("signature");
    fs::write(&file, signature).unwrap();
    let done = Command::new("openssl")
        .args(["cms", "-verify", "-inform", "DER", "-purpose", "any", "-in"])
        .arg(&file)
        .arg("-CAfile")
        .arg(lab.authority())
        .output()
        .unwrap();
    let content = serde_json::from_slice(&done.stdout).ok();
    content.filter(|_| done.status.success())
}

#[test]
fn attested_document_is_signed() {
    let Some(lab) = super::lab() else { return };
    let document = verified(&lab, "1234567890").expect("a signed document");
    assert_eq!(document["nonce"], "1234567890");
    assert_eq!(document["vmId"], tests::lab::metadata::VM_ID);
    lab.metadata.attested(Attested::OtherNonce);
    assert_ne!(verified(&lab, "1234567890").unwrap()["nonce"], "1234567890");
    lab.metadata.attested(Attested::Garbage);
    assert!(verified(&lab, "1234567890").is_none());
}
