//! Keys on the curve P-256 that sign digests with ES256. A key is made when it is first asked for.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::HOST;
use crate::lab::site::message::{Answer, error, json_answer};

/// The version that every key has.
const VERSION: &str = "0123456789abcdef0123456789abcdef";

/// The public half of a key.
pub(super) async fn get(folder: &Path, name: &str) -> Result<Answer, Answer> {
    let point = public(folder, name)
        .await
        .map_err(|broken| internal(&broken))?;
    let (x, y) = point.split_at(point.len() / 2);
    Ok(json_answer(
        200,
        &json!({
            "key": {
                "kid": id(name), "kty": "EC", "crv": "P-256", "key_ops": ["sign", "verify"],
                "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
            },
            "attributes": { "enabled": true, "created": 1_700_000_000, "updated": 1_700_000_000 },
        }),
    ))
}

/// `sign` or `verify`, on a digest.
pub(super) async fn perform(
    folder: &Path,
    name: &str,
    deed: &str,
    body: &Value,
) -> Result<Answer, Answer> {
    let bytes = |field: &str| {
        let text = body[field].as_str().unwrap_or_default();
        URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .unwrap_or_default()
    };
    if body["alg"] != "ES256" {
        return Err(error(
            400,
            "BadParameter",
            "Key and signing algorithm are incompatible.",
        ));
    }
    let digest = bytes(if deed == "sign" { "value" } else { "digest" });
    if digest.len() != 32 {
        return Err(error(
            400,
            "BadParameter",
            "Property value has invalid value",
        ));
    }
    if deed == "sign" {
        let signature = sign(folder, name, &digest)
            .await
            .map_err(|broken| internal(&broken))?;
        return Ok(json_answer(
            200,
            &json!({ "kid": id(name), "value": URL_SAFE_NO_PAD.encode(signature) }),
        ));
    }
    let good = verify(folder, name, &digest, &bytes("value"))
        .await
        .map_err(|broken| internal(&broken))?;
    Ok(json_answer(200, &json!({ "value": good })))
}

fn id(name: &str) -> String {
    format!("https://{HOST}/keys/{name}/{VERSION}")
}

fn internal(broken: &anyhow::Error) -> Answer {
    error(500, "InternalServerError", &format!("{broken:#}"))
}

async fn key(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}.pem"));
    if !path.exists() {
        fs::create_dir_all(folder)?;
        let made = openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .await?;
        fs::write(&path, made)?;
    }
    Ok(path)
}

/// X and Y of the public point: the last 64 bytes of its DER form.
async fn public(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let key = key(folder, name).await?;
    let der = openssl(&[
        "pkey",
        "-in",
        &key.to_string_lossy(),
        "-pubout",
        "-outform",
        "DER",
    ])
    .await?;
    Ok(der
        .last_chunk::<64>()
        .context("a public key of 64 bytes")?
        .to_vec())
}

async fn sign(folder: &Path, name: &str, digest: &[u8]) -> Result<Vec<u8>> {
    let key = key(folder, name).await?;
    let scratch = TempDir::new()?;
    let file = scratch.path().join("digest");
    fs::write(&file, digest)?;
    let arguments = [
        "pkeyutl",
        "-sign",
        "-inkey",
        &key.to_string_lossy(),
        "-in",
        &file.to_string_lossy(),
    ];
    raw(&openssl(&arguments).await?)
}

async fn verify(folder: &Path, name: &str, digest: &[u8], signature: &[u8]) -> Result<bool> {
    let key = key(folder, name).await?;
    let scratch = TempDir::new()?;
    let (file, signed) = (
        scratch.path().join("digest"),
        scratch.path().join("signature"),
    );
    fs::write(&file, digest)?;
    fs::write(&signed, der(signature))?;
    let (key, file, signed) = (
        key.to_string_lossy(),
        file.to_string_lossy(),
        signed.to_string_lossy(),
    );
    Ok(openssl(&[
        "pkeyutl", "-verify", "-inkey", &key, "-in", &file, "-sigfile", &signed,
    ])
    .await
    .is_ok())
}

async fn openssl(arguments: &[&str]) -> Result<Vec<u8>> {
    let done = Command::new("openssl")
        .args(arguments)
        .output()
        .await
        .context("run openssl")?;
    ensure!(
        done.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(done.stdout)
}

/// R and S side by side, as Key Vault has them, from `SEQUENCE { INTEGER, INTEGER }`.
fn raw(der: &[u8]) -> Result<Vec<u8>> {
    let mut rest = der.get(2..).context("a signature")?;
    let mut signature = Vec::with_capacity(64);
    for _ in 0..2 {
        let [2, length, tail @ ..] = rest else {
            anyhow::bail!("no number in the signature")
        };
        let length = usize::from(*length);
        let (number, after) = tail.split_at_checked(length).context("a whole number")?;
        let significant: Vec<u8> = number
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect();
        signature.resize(signature.len() + 32 - significant.len(), 0);
        signature.extend(significant);
        rest = after;
    }
    Ok(signature)
}

/// The other way round.
fn der(signature: &[u8]) -> Vec<u8> {
    let mut numbers = Vec::new();
    for half in signature.chunks(32) {
        let mut number: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_none_or(|first| first & 0x80 != 0) {
            number.insert(0, 0);
        }
        numbers.extend([2, u8::try_from(number.len()).unwrap_or_default()]);
        numbers.extend(number);
    }
    let mut whole = vec![0x30, u8::try_from(numbers.len()).unwrap_or_default()];
    whole.extend(numbers);
    whole
}
