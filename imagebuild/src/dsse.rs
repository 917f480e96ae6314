//! Signed envelopes: DSSE, version 1 (<https://github.com/secure-systems-lab/dsse>, `protocol.md`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use policies::digest::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    exit::Mismatch,
    sign::{Key, PublicKey},
};

/// A payload with signatures over it and its type.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What the payload is.
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// The payload, in base64.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<Signature>,
}

/// One signature.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// The name of the key.
    pub keyid: String,
    /// The signature, in base64.
    pub sig: String,
}

impl Envelope {
    /// Signs a payload.
    pub fn seal(payload: &[u8], payload_type: &str, key: &Key) -> Self {
        Self {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![Signature {
                keyid: key.public().id().to_string(),
                sig: STANDARD.encode(key.sign(&encoding(payload_type, payload))),
            }],
        }
    }

    /// Hands out the payload if it is of that type and the key signed it. `object` names it in errors.
    pub fn open(
        &self,
        object: &str,
        payload_type: &str,
        key: &PublicKey,
    ) -> Result<Vec<u8>, Mismatch> {
        Mismatch::check(
            format!("type of {object}"),
            &payload_type,
            &self.payload_type.as_str(),
        )?;
        let unsigned = |found: String| Mismatch {
            object: format!("signature of {object}"),
            expected: format!("one by key {}", key.id().short()),
            found,
        };
        let payload = STANDARD
            .decode(&self.payload)
            .map_err(|error| unsigned(format!("a payload that is not base64 ({error})")))?;
        let signed = encoding(payload_type, &payload);
        let verifies = |signature: &Signature| {
            STANDARD
                .decode(&signature.sig)
                .is_ok_and(|sig| key.verifies(&signed, &sig))
        };
        let id = key.id();
        let (own, others): (Vec<_>, Vec<_>) = self
            .signatures
            .iter()
            .partition(|signature| signature.keyid == id.as_str());
        if own.iter().any(|signature| verifies(signature)) {
            return Ok(payload);
        }
        Err(unsigned(match (own.first(), others.first()) {
            (Some(_), _) => "one that does not fit the content".to_owned(),
            (None, Some(other)) => format!("one by key {:.12}", other.keyid),
            (None, None) => "none".to_owned(),
        }))
    }

    /// Reads an envelope from its file, which holds nothing else. `object` names it in errors.
    pub fn parse(bytes: &[u8], object: &str) -> Result<Self, Mismatch> {
        let broken = |error: serde_json::Error| Mismatch {
            object: object.to_owned(),
            expected: "a signed envelope".to_owned(),
            found: error.to_string(),
        };
        let envelope: Self = serde_json::from_slice(bytes).map_err(broken)?;
        // What is not signed follows from what is: other bytes were put there by somebody.
        let expected = envelope.digest().map_err(broken)?;
        Mismatch::check(format!("digest of {object}"), &expected, &Digest::of(bytes))?;
        Ok(envelope)
    }

    /// The envelope as it is written to a file.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The digest of the envelope's file.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&self.bytes()?))
    }
}

/// What is signed: the type and the payload with their lengths, so that neither can pass for the other
/// (`PAE` in the protocol).
fn encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (tempfile::TempDir, Key) {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::create(&folder.path().join("k.pem")).unwrap();
        (folder, key)
    }

    /// The example in the protocol's own text.
    #[test]
    fn the_signed_encoding_is_the_published_one() {
        let signed = encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            signed,
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn an_envelope_opens_only_with_its_key_and_as_its_type() {
        let (_folder, key) = key();
        let (_other_folder, other) = self::key();
        let envelope = Envelope::seal(b"x", "t", &key);
        assert_eq!(envelope.open("it", "t", &key.public()).unwrap(), b"x");
        let error = envelope.open("it", "t", &other.public()).unwrap_err();
        assert!(error.found.contains(key.public().id().short()), "{error}");
        assert!(envelope.open("it", "u", &key.public()).is_err());
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let (_folder, key) = key();
        let envelope = Envelope::seal(b"payload", "t", &key);
        let bytes = envelope.bytes().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let opens = Envelope::parse(&flipped, "it")
                .and_then(|envelope| envelope.open("it", "t", &key.public()));
            assert!(opens.is_err(), "{}", String::from_utf8_lossy(&flipped));
        }
    }
}
