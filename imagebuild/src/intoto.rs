//! Statements about files: in-toto Statement, version 1
//! (<https://github.com/in-toto/attestation/tree/main/spec/v1>, `statement.md`).

use policies::digest::Digest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    dsse::Envelope,
    exit::Mismatch,
    sign::{Key, PublicKey},
};

/// What a predicate is called.
pub trait Predicate: DeserializeOwned + Serialize {
    /// The name of its type: a URI that need not lead anywhere.
    const TYPE: &'static str;
}

/// Something that is said about files.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Statement<P> {
    #[serde(rename = "_type")]
    kind: String,
    /// What it is about.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// What is said.
    pub predicate: P,
}

/// A file that a statement is about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its content.
    pub digest: DigestSet,
}

/// The digests of a file; always this one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DigestSet {
    /// SHA-256.
    pub sha256: Digest,
}

impl<P: Predicate> Statement<P> {
    /// Says something about one file.
    pub fn new(name: &str, sha256: Digest, predicate: P) -> Self {
        Self {
            kind: STATEMENT.to_owned(),
            subject: vec![Subject {
                name: name.to_owned(),
                digest: DigestSet { sha256 },
            }],
            predicate_type: P::TYPE.to_owned(),
            predicate,
        }
    }

    /// Signs the statement.
    pub fn seal(&self, key: &Key) -> Result<Envelope, serde_json::Error> {
        Ok(Envelope::seal(&serde_json::to_vec(self)?, PAYLOAD, key))
    }

    /// Reads the statement in an envelope if the key signed it. `object` names it in errors.
    pub fn open(envelope: &Envelope, object: &str, key: &PublicKey) -> Result<Self, Mismatch> {
        let payload = envelope.open(object, PAYLOAD, key)?;
        let statement: Self = serde_json::from_slice(&payload).map_err(|error| Mismatch {
            object: object.to_owned(),
            expected: format!("a statement of type {}", P::TYPE),
            found: error.to_string(),
        })?;
        let kind = (STATEMENT, P::TYPE);
        let found = (statement.kind.as_str(), statement.predicate_type.as_str());
        Mismatch::check(format!("kind of {object}"), &kind.0, &found.0)?;
        Mismatch::check(format!("predicate of {object}"), &kind.1, &found.1)?;
        Ok(statement)
    }

    /// The digest of the one file that the statement is about.
    pub fn about(&self, object: &str) -> Result<&Digest, Mismatch> {
        match self.subject.as_slice() {
            [subject] => Ok(&subject.digest.sha256),
            other => Err(Mismatch {
                object: format!("subject of {object}"),
                expected: "one file".to_owned(),
                found: format!("{} files", other.len()),
            }),
        }
    }
}

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PAYLOAD: &str = "application/vnd.in-toto+json";
