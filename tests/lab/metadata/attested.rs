//! The document by which a machine proves to others that it is an Azure machine.

use std::fs;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::instance::{SUBSCRIPTION, VM_ID};
use crate::lab::certificates::Certificates;
use crate::lab::site::message::{Answer, Call, error, json_answer};

/// What the attested documents are like.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Attested {
    /// As they should be.
    #[default]
    Good,
    /// Expired an hour ago.
    Expired,
    /// Not PKCS #7 at all.
    Garbage,
    /// For another machine.
    OtherMachine,
    /// With another nonce than asked.
    OtherNonce,
    /// Signed by a certificate that is not `metadata.azure.com`.
    OtherSigner,
}

pub(super) async fn answer(call: &Call, attested: Attested, certificates: &Certificates) -> Answer {
    let signature = match attested {
        Attested::Garbage => Ok(STANDARD.encode("this is no signature")),
        _ => sign(&content(call, attested), attested, certificates).await,
    };
    match signature {
        Ok(signature) => json_answer(200, &json!({ "encoding": "pkcs7", "signature": signature })),
        Err(broken) => error(500, "InternalError", &format!("{broken:#}")),
    }
}

fn content(call: &Call, attested: Attested) -> String {
    let now = Timestamp::now();
    let from = if attested == Attested::Expired {
        now - SignedDuration::from_hours(7)
    } else {
        now
    };
    let until = from + SignedDuration::from_hours(6);
    let at = |time: Timestamp| time.strftime("%m/%d/%y %H:%M:%S -0000").to_string();
    let asked = call.query("nonce");
    let nonce = match attested {
        Attested::OtherNonce => "9999999999".to_owned(),
        // Without one, the service takes the time.
        _ => asked.unwrap_or_else(|| now.strftime("%Y%m%d-%H%M%S").to_string()),
    };
    let machine = if attested == Attested::OtherMachine {
        "ffffffff-0000-4000-8000-ffffffffffff"
    } else {
        VM_ID
    };
    json!({
        "licenseType": "", "nonce": nonce, "plan": { "name": "", "product": "", "publisher": "" },
        "sku": "", "subscriptionId": SUBSCRIPTION,
        "timeStamp": { "createdOn": at(from), "expiresOn": at(until) },
        "vmId": machine,
    })
    .to_string()
}

async fn sign(content: &str, attested: Attested, certificates: &Certificates) -> Result<String> {
    let by = if attested == Attested::OtherSigner {
        "server"
    } else {
        "metadata"
    };
    let folder = TempDir::new()?;
    let (plain, signed) = (folder.path().join("plain"), folder.path().join("signed"));
    fs::write(&plain, content)?;
    let done = Command::new("openssl")
        .args([
            "cms",
            "-sign",
            "-binary",
            "-nodetach",
            "-outform",
            "DER",
            "-md",
            "sha256",
            "-in",
        ])
        .arg(&plain)
        .arg("-signer")
        .arg(certificates.certificate(by))
        .arg("-inkey")
        .arg(certificates.key(by))
        .arg("-out")
        .arg(&signed)
        .stdin(Stdio::null())
        .output()
        .await
        .context("run openssl")?;
    ensure!(
        done.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(STANDARD.encode(fs::read(&signed)?))
}
