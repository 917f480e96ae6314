//! Verifies everything that lies beside an image, offline.

use std::{collections::BTreeMap, path::Path};

use policies::digest::Digest;
use serde::Serialize;

use crate::{
    custody::{self, Custody},
    exit::Mismatch,
    files,
    import::receipt::Receipt,
    intoto::Statement,
    judge::{self, Expected, Judged},
    lock::Lock,
    sign::PublicKey,
    ui, vhd,
};

/// Something that was verified.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub what: String,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What it should be; none if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What it is instead; none if it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// What was verified, in order.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds what was verified; `what` begins with the file's name.
    fn add(&mut self, what: &str, outcome: Result<(), Mismatch>) {
        let (ok, wrong) = (outcome.is_ok(), outcome.err());
        let what = match &wrong {
            Some(wrong) if !what.contains(&wrong.object) => format!("{what} ({})", wrong.object),
            _ => what.to_owned(),
        };
        let (expected, found) = wrong.map(|wrong| (wrong.expected, wrong.found)).unzip();
        self.0.push(Finding {
            what,
            ok,
            expected,
            found,
        });
    }

    /// Everything that was verified.
    pub fn all(&self) -> &[Finding] {
        &self.0
    }

    /// Says whether everything is as it should be.
    pub fn are_fine(&self) -> bool {
        self.0.iter().all(|finding| finding.ok)
    }
}

/// Verifies the output folder of a build.
pub fn verify(folder: &Path, key: &PublicKey) -> Findings {
    let mut findings = Findings::default();
    let custody = Custody::open(folder, key);
    findings.add(
        "custody.json signature",
        custody.as_ref().map(|_| ()).map_err(Clone::clone),
    );
    let disk = folder.join(custody::VHD);
    findings.add("image.vhd footer", footer(&disk));
    let lock = lock(folder);
    findings.add(
        "image.lock own digest",
        lock.as_ref().map(|_| ()).map_err(Clone::clone),
    );
    let Ok(custody) = custody else {
        return findings;
    };
    findings.add("image.vhd content", image(&disk, &custody));
    for (name, outcome) in custody.small_files(folder) {
        findings.add(&format!("{name} content"), outcome);
    }
    let Ok(lock) = lock else { return findings };
    findings.add(
        "image.lock image and version",
        same_image(&custody.predicate, &lock),
    );
    findings.add(
        "report.json verdict",
        report(folder, &custody.predicate, &lock),
    );
    if folder.join(custody::SEALED_REPORT).exists() {
        findings.add("report-sealed.json verdict", sealed_report(folder, &lock));
    }
    receipts(&custody.predicate, &lock, key, &mut findings);
    findings
}

fn footer(path: &Path) -> Result<(), Mismatch> {
    vhd::verify(path).map(drop).map_err(|error| Mismatch {
        object: custody::VHD.to_owned(),
        expected: "a fixed VHD that Azure takes".to_owned(),
        found: ui::causes(&error),
    })
}

fn lock(folder: &Path) -> Result<Lock, Mismatch> {
    Lock::load(&folder.join(custody::LOCK)).map_err(|error| match error {
        crate::lock::Error::Damaged { source, .. } => source,
        other => Mismatch {
            object: custody::LOCK.to_owned(),
            expected: "a lock".to_owned(),
            found: ui::causes(&other),
        },
    })
}

fn image(vhd: &Path, custody: &Statement<Custody>) -> Result<(), Mismatch> {
    let expected = custody.about(custody::STATEMENT)?;
    let (found, size) = files::digest(vhd).map_err(|error| Mismatch {
        object: custody::VHD.to_owned(),
        expected: expected.to_string(),
        found: ui::causes(&error),
    })?;
    Mismatch::check("size", &custody.predicate.size, &size)?;
    Mismatch::check(custody::VHD, expected, &found)
}

fn same_image(custody: &Custody, lock: &Lock) -> Result<(), Mismatch> {
    Mismatch::check("image", &custody.image, &lock.image)?;
    Mismatch::check("version", &custody.version, &lock.version)
}

fn report(folder: &Path, custody: &Custody, lock: &Lock) -> Result<(), Mismatch> {
    let text = text(folder, custody::REPORT)?;
    let expected = Expected {
        challenge: Some(&custody.challenge),
        policy: &lock.policy.digest,
        agent: Some(&lock.agent.binary),
    };
    conforms(&judge::judge(&text, &expected)?)
}

fn sealed_report(folder: &Path, lock: &Lock) -> Result<(), Mismatch> {
    let text = text(folder, custody::SEALED_REPORT)?;
    conforms(&judge::sealed(
        &text,
        &lock.policy.digest,
        &lock.agent.binary,
    )?)
}

fn text(folder: &Path, name: &str) -> Result<String, Mismatch> {
    files::text(&folder.join(name), MOST_BYTES).map_err(|error| Mismatch {
        object: name.to_owned(),
        expected: "a report".to_owned(),
        found: ui::causes(&error),
    })
}

fn conforms(judged: &Judged) -> Result<(), Mismatch> {
    if judged.conforms {
        return Ok(());
    }
    Err(Mismatch {
        object: "verdict of the report".to_owned(),
        expected: "an image that conforms".to_owned(),
        found: judge::deviations(&judged.report).join("; "),
    })
}

/// Every binary of the lock has a receipt, and every receipt is of a binary of the lock.
fn receipts(custody: &Custody, lock: &Lock, key: &PublicKey, findings: &mut Findings) {
    let mut by_name: BTreeMap<String, (Digest, Digest)> = BTreeMap::new();
    for envelope in &custody.receipts {
        let opened = Statement::<Receipt>::open(envelope, "receipt", key).and_then(|statement| {
            let digest = envelope.digest().map_err(|error| Mismatch {
                object: "receipt".to_owned(),
                expected: "an envelope".to_owned(),
                found: error.to_string(),
            })?;
            let sha256 = statement.about("receipt")?.clone();
            Ok((statement.predicate.name.to_string(), (sha256, digest)))
        });
        match opened {
            Ok((name, digests)) => drop(by_name.insert(name, digests)),
            Err(wrong) => findings.add("receipt", Err(wrong)),
        }
    }
    for binary in &lock.binaries {
        let what = format!("receipt of {}", binary.name);
        let outcome = match by_name.remove(&binary.name) {
            None => Err(Mismatch {
                object: what.clone(),
                expected: format!("a receipt for {}", binary.sha256),
                found: "none".to_owned(),
            }),
            Some((sha256, digest)) => {
                Mismatch::check("binary", &binary.sha256, &sha256).and_then(|()| {
                    let locked = binary.receipt.as_ref();
                    locked.map_or(Ok(()), |locked| Mismatch::check("digest", locked, &digest))
                })
            }
        };
        findings.add(&what, outcome);
    }
    for (name, (sha256, _)) in by_name {
        let unlocked = Mismatch {
            object: "binary".to_owned(),
            expected: "a binary of the lock".to_owned(),
            found: sha256.to_string(),
        };
        findings.add(&format!("receipt of {name}"), Err(unlocked));
    }
}

/// No report is this long.
const MOST_BYTES: u64 = 16 << 20;
