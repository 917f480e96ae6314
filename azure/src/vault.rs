//! Key Vault: secrets, and keys that sign without ever leaving the vault.

use std::fmt;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{HttpClient, RequestContent};
use azure_security_keyvault_keys::models::{
    CurveName, KeyClientGetKeyOptions, KeyClientSignOptions, SignParameters, SignatureAlgorithm,
    VerifyParameters,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions};
use azure_security_keyvault_secrets::models::SecretClientGetSecretOptions;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use zeroize::Zeroizing;

use crate::call::{self, Call};
use crate::door::OpenError;
use crate::error::Error;
use crate::names::{Segment, VaultName};
use crate::patience::Patience;
use crate::retry::Repeat;
use crate::setting::Setting;

/// A key vault.
#[derive(Clone)]
pub struct Vault {
    url: String,
    keys: Arc<KeyClient>,
    secrets: Arc<SecretClient>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Vault")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A secret: it is wiped when it is dropped, and shows nothing of itself.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// What it is.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Secret")
    }
}

/// How a digest is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// ECDSA on P-256 over a SHA-256.
    Es256,
    /// ECDSA on P-384 over a SHA-384.
    Es384,
    /// RSA-PSS over a SHA-256.
    Ps256,
}

impl Algorithm {
    /// How long the digest is, in bytes.
    #[must_use]
    pub const fn digest(self) -> usize {
        match self {
            Self::Es256 | Self::Ps256 => 32,
            Self::Es384 => 48,
        }
    }

    const fn name(self) -> SignatureAlgorithm {
        match self {
            Self::Es256 => SignatureAlgorithm::Es256,
            Self::Es384 => SignatureAlgorithm::Es384,
            Self::Ps256 => SignatureAlgorithm::Ps256,
        }
    }
}

/// A signature, and which version of the key made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signature {
    /// The signature.
    pub bytes: Vec<u8>,
    /// The full id of the key, with its version.
    pub key: String,
}

/// The public half of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PublicKey {
    /// A point on a curve.
    Ec {
        /// The curve, such as `P-256`.
        curve: String,
        /// Its x.
        x: Vec<u8>,
        /// Its y.
        y: Vec<u8>,
    },
    /// A modulus and an exponent.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
}

/// A digest that is not as long as its algorithm wants it.
#[derive(Debug, thiserror::Error)]
#[error("a digest of {found} bytes, expected {expected}")]
struct DigestLength {
    expected: usize,
    found: usize,
}

impl Vault {
    pub(crate) fn new(
        setting: &Setting,
        name: &VaultName,
        credential: &Arc<dyn TokenCredential>,
        wire: &Arc<dyn HttpClient>,
    ) -> Result<Self, OpenError> {
        let url = setting.vault(name);
        let failed = |source| OpenError::Client {
            url: url.clone(),
            source,
        };
        // Signing is a POST, and twice is as good as once.
        let patience = Patience {
            repeat: Some(Repeat::Same),
            ..Patience::SERVICE
        };
        let keys = KeyClientOptions {
            client_options: patience.options(wire),
            ..KeyClientOptions::default()
        };
        let secrets = SecretClientOptions {
            client_options: patience.options(wire),
            ..SecretClientOptions::default()
        };
        let keys = KeyClient::new(&url, Arc::clone(credential), Some(keys)).map_err(failed)?;
        let secrets =
            SecretClient::new(&url, Arc::clone(credential), Some(secrets)).map_err(failed)?;
        Ok(Self {
            url,
            keys: Arc::new(keys),
            secrets: Arc::new(secrets),
        })
    }

    /// Reads a secret; the newest version, or a given one.
    pub async fn secret(&self, name: &Segment, version: Option<&Segment>) -> Result<Secret, Error> {
        let call = call::vault::SECRET;
        let options = SecretClientGetSecretOptions {
            secret_version: version.map(ToString::to_string),
            ..SecretClientGetSecretOptions::default()
        };
        let answer = self.secrets.get_secret(name.as_str(), Some(options)).await;
        let answer = answer.map_err(|error| self.failed(&call, name, error))?;
        // An answer that is not understood is not shown: it may hold the secret.
        let secret = answer.into_model().ok().and_then(|secret| secret.value);
        let secret = secret.ok_or_else(|| self.empty(&call, name, "value"))?;
        Ok(Secret(Zeroizing::new(secret)))
    }

    /// Reads the public half of a key.
    pub async fn public_key(
        &self,
        name: &Segment,
        version: Option<&Segment>,
    ) -> Result<PublicKey, Error> {
        let call = call::vault::KEY;
        let failed = |error| self.failed(&call, name, error);
        let options = KeyClientGetKeyOptions {
            key_version: version.map(ToString::to_string),
            ..KeyClientGetKeyOptions::default()
        };
        let answer = self
            .keys
            .get_key(name.as_str(), Some(options))
            .await
            .map_err(failed)?;
        let key = answer.into_model().map_err(failed)?.key;
        let key = key.ok_or_else(|| self.empty(&call, name, "key"))?;
        match (key.crv, key.x, key.y, key.n, key.e) {
            (Some(curve), Some(x), Some(y), _, _) => Ok(PublicKey::Ec {
                curve: curve_name(&curve),
                x,
                y,
            }),
            (_, _, _, Some(n), Some(e)) => Ok(PublicKey::Rsa { n, e }),
            _ => Err(self.empty(&call, name, "public half")),
        }
    }

    /// Signs a digest.
    pub async fn sign(
        &self,
        name: &Segment,
        version: Option<&Segment>,
        algorithm: Algorithm,
        digest: &[u8],
    ) -> Result<Signature, Error> {
        let call = call::vault::SIGN;
        let failed = |error| self.failed(&call, name, error);
        self.check(&call, name, algorithm, digest)?;
        let parameters = SignParameters {
            algorithm: Some(algorithm.name()),
            value: Some(digest.to_vec()),
        };
        let parameters: RequestContent<SignParameters> = parameters.try_into().map_err(failed)?;
        let options = KeyClientSignOptions {
            key_version: version.map(ToString::to_string),
            ..KeyClientSignOptions::default()
        };
        let answer = self
            .keys
            .sign(name.as_str(), parameters, Some(options))
            .await;
        let answer = answer.map_err(failed)?.into_model().map_err(failed)?;
        Ok(Signature {
            bytes: answer
                .result
                .ok_or_else(|| self.empty(&call, name, "signature"))?,
            key: answer
                .kid
                .ok_or_else(|| self.empty(&call, name, "key id"))?,
        })
    }

    /// Has the vault check a signature.
    pub async fn verify(
        &self,
        name: &Segment,
        version: &Segment,
        algorithm: Algorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool, Error> {
        let call = call::vault::VERIFY;
        let failed = |error| self.failed(&call, name, error);
        self.check(&call, name, algorithm, digest)?;
        let parameters = VerifyParameters {
            algorithm: Some(algorithm.name()),
            digest: Some(digest.to_vec()),
            signature: Some(signature.to_vec()),
        };
        let parameters: RequestContent<VerifyParameters> = parameters.try_into().map_err(failed)?;
        let answer = self
            .keys
            .verify(name.as_str(), version.as_str(), parameters, None)
            .await;
        let answer = answer.map_err(failed)?.into_model().map_err(failed)?;
        answer
            .value
            .ok_or_else(|| self.empty(&call, name, "verdict"))
    }

    fn check(
        &self,
        call: &Call,
        name: &Segment,
        algorithm: Algorithm,
        digest: &[u8],
    ) -> Result<(), Error> {
        let (expected, found) = (algorithm.digest(), digest.len());
        if expected == found {
            Ok(())
        } else {
            Err(Error::because(
                call,
                self.object(name),
                DigestLength { expected, found },
            ))
        }
    }

    fn object(&self, name: &Segment) -> String {
        format!("{}/{name}", self.url)
    }

    fn failed(&self, call: &Call, name: &Segment, error: azure_core::Error) -> Error {
        Error::new(call, self.object(name), error)
    }

    fn empty(&self, call: &Call, name: &Segment, what: &str) -> Error {
        Error::because(call, self.object(name), format!("the answer has no {what}"))
    }
}

fn curve_name(curve: &CurveName) -> String {
    curve.as_ref().to_owned()
}
