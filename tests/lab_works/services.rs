//! Log ingestion, vault and sign-in.

use std::fs;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use tests::lab::metadata::assigned;
use tests::lab::network::Place;
use tests::lab::token::claims;
use tests::lab::{logs, vault};

use crate::curl::{ask, ask_as};

const JSON: &str = "Content-Type: application/json";

#[test]
fn records_are_taken_within_the_limits() {
    let Some(lab) = super::lab() else { return };
    let audience = "https://monitor.azure.com";
    let base = format!(
        "{}/dataCollectionRules/{}/streams",
        logs::Logs::endpoint(),
        logs::RULE
    );
    let url = format!("{base}/{}?api-version=2023-01-01", logs::STREAMS[0]);
    let folder = tempfile::TempDir::new().unwrap();
    let send = |name: &str, content: &[u8], more: &[&str]| {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        let data = format!("@{}", file.display());
        let post = [
            &[
                "--header",
                JSON,
                "--data-binary",
                &data,
                "--header",
                "Expect:",
            ],
            more,
            &[&url],
        ]
        .concat();
        ask_as(&lab, audience, &post)
    };
    let before = lab.logs.taken().len();
    let record =
        json!([{ "TimeGenerated": "2026-11-23T00:00:00Z", "RuleId": "KRN-004" }]).to_string();

    assert_eq!(send("plain", record.as_bytes(), &[]).status, 204);
    Command::new("gzip")
        .arg("--keep")
        .arg(folder.path().join("plain"))
        .status()
        .unwrap();
    let zipped = fs::read(folder.path().join("plain.gz")).unwrap();
    assert_eq!(
        send("zipped", &zipped, &["--header", "Content-Encoding: gzip"]).status,
        204
    );
    assert_eq!(lab.logs.taken().len(), before + 2);

    assert_eq!(send("object", b"{}", &[]).code(), "InvalidPayload");
    assert_eq!(send("timeless", b"[{}]", &[]).code(), "InvalidPayload");
    let large = json!([{ "TimeGenerated": "2026-11-23T00:00:00Z", "Text": "x".repeat(1 << 20) }]);
    assert_eq!(send("large", large.to_string().as_bytes(), &[]).status, 413);
    let wrong = ask_as(
        &lab,
        "https://management.azure.com",
        &["--header", JSON, "--data", &record, &url],
    );
    assert_eq!(wrong.status, 401);
    let other = format!("{base}/Custom-Other_CL?api-version=2023-01-01");
    assert_eq!(
        ask_as(
            &lab,
            audience,
            &["--header", JSON, "--data", &record, &other]
        )
        .code(),
        "InvalidStream"
    );
}

#[test]
fn secrets_are_kept_by_version() {
    let Some(lab) = super::lab() else { return };
    let audience = "https://vault.azure.net";
    let first = lab.vault.keep("signing", "one");
    lab.vault.keep("signing", "two");
    let url = format!("{}/secrets/signing", vault::Vault::endpoint());
    let get = |url: &str| ask_as(&lab, audience, &[&format!("{url}?api-version=7.6")]);

    assert_eq!(get(&url).json()["value"], "two");
    assert_eq!(get(&format!("{url}/{first}")).json()["value"], "one");
    assert_eq!(get(&format!("{url}s")).code(), "SecretNotFound");
    lab.vault.disable("signing");
    assert_eq!(get(&url).status, 403);
    lab.vault.challenge("https://vault.example.org");
    let challenged = ask(&lab, Place::Runner, &[&format!("{url}?api-version=7.6")]);
    assert_eq!(challenged.status, 401);
    assert!(
        challenged
            .header("www-authenticate")
            .contains("resource=\"https://vault.example.org\"")
    );
}

#[test]
fn keys_sign_what_others_can_verify() {
    let Some(lab) = super::lab() else { return };
    let audience = "https://vault.azure.net";
    let url = format!("{}/keys/custody", vault::Vault::endpoint());
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(b"statement"));
    let post = |deed: &str, body: &serde_json::Value| {
        let body = body.to_string();
        ask_as(
            &lab,
            audience,
            &[
                "--header",
                JSON,
                "--data",
                &body,
                &format!("{url}/{deed}?api-version=7.6"),
            ],
        )
    };

    let signed = post("sign", &json!({ "alg": "ES256", "value": digest })).json();
    let signature = signed["value"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 64);
    let good = post(
        "verify",
        &json!({ "alg": "ES256", "digest": digest, "value": signature }),
    );
    assert_eq!(good.json()["value"], true, "{}", good.body);
    let other = URL_SAFE_NO_PAD.encode(Sha256::digest(b"another statement"));
    let bad = post(
        "verify",
        &json!({ "alg": "ES256", "digest": other, "value": signature }),
    );
    assert_eq!(bad.json()["value"], false, "{}", bad.body);
}

#[test]
fn an_assertion_buys_a_token() {
    let Some(lab) = super::lab() else { return };
    let url = format!(
        "https://login.microsoftonline.com/{}/oauth2/v2.0/token",
        tests::lab::token::TENANT
    );
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_assertion=x.y.z&client_assertion_type=\
         urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&\
         scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
        assigned().client
    );
    let reply = ask(&lab, Place::Runner, &["--data", &body, &url]);
    let claims = claims(reply.json()["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(claims["aud"], "https://management.azure.com");
    assert_eq!(
        ask(
            &lab,
            Place::Runner,
            &["--data", "grant_type=password", &url]
        )
        .status,
        400
    );
    assert_eq!(lab.login.site.asked().len(), 2);
}
