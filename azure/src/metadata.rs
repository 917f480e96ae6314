//! What the VM is told about itself: instance metadata and the attested document.
//!
//! The service listens on one link-local address, in plain text, without a password; it is reached without a
//! name, a proxy or TLS, and only while nothing else is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::{AsyncRawResponse, Context, HttpClient, Method, Pipeline, Request, Url};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

use crate::call::{self, Call};
use crate::error::Error;
use crate::net::Refused;
use crate::patience::Patience;
use crate::transport::{self, WireError, limited};

/// The metadata service of this VM.
#[derive(Clone)]
pub struct Metadata {
    pipeline: Pipeline,
}

// The SDK's pipelines show all that is in them, down to the wire.
impl std::fmt::Debug for Metadata {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Metadata").finish_non_exhaustive()
    }
}

/// Where it is.
const HOST: &str = "169.254.169.254";

/// What Azure knows about the VM.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Instance {
    /// The machine itself.
    pub compute: Compute,
}

/// The machine as Azure sees it. Fields that are added to the service later are ignored.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Compute {
    /// The region.
    pub location: String,
    /// The name.
    pub name: String,
    /// The resource group.
    pub resource_group_name: String,
    /// The full id of the resource.
    pub resource_id: String,
    /// How the machine is protected.
    pub security_profile: SecurityProfile,
    /// What its disks were made from.
    pub storage_profile: StorageProfile,
    /// The subscription.
    pub subscription_id: String,
    /// Its tags.
    pub tags_list: Vec<Tag>,
    /// The id that stays the same as long as the machine lives.
    pub vm_id: String,
    /// Its size.
    pub vm_size: String,
}

impl Compute {
    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags_list
            .iter()
            .find(|tag| tag.name == name)
            .map(|tag| tag.value.as_str())
    }
}

/// How a machine is protected.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityProfile {
    /// Whether its disks are encrypted where it runs.
    #[serde(deserialize_with = "truth")]
    pub encryption_at_host: Option<bool>,
    /// Whether the firmware boots signed programs only.
    #[serde(deserialize_with = "truth")]
    pub secure_boot_enabled: Option<bool>,
    /// `TrustedLaunch` or `ConfidentialVM`, or nothing.
    pub security_type: String,
    /// Whether it has a TPM.
    #[serde(deserialize_with = "truth")]
    pub virtual_tpm_enabled: Option<bool>,
}

/// What the disks of a machine were made from.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StorageProfile {
    /// The image: `id` of a gallery image, or publisher, offer, sku and version.
    pub image_reference: BTreeMap<String, serde_json::Value>,
}

/// A tag of a resource.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The service writes truth values as texts, and leaves them empty where it does not know.
fn truth<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Truth(bool),
    }
    Ok(match Option::<Either>::deserialize(from)? {
        Some(Either::Truth(truth)) => Some(truth),
        Some(Either::Text(text)) => text.to_ascii_lowercase().parse().ok(),
        None => None,
    })
}

/// A number that is used once, so that a document cannot be an old one: ten digits.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Nonce(String);

impl Nonce {
    /// A nonce from a number that the verifier chose.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(format!("{:010}", number % 10_000_000_000))
    }

    /// The ten digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A document that Azure signed about the VM: PKCS #7 over the nonce, the VM's id and the time.
///
/// It is handed on as it is. Who relies on it checks the signature and that its certificate is Azure's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attested {
    /// The signed message, DER.
    pub pkcs7: Vec<u8>,
}

impl Metadata {
    /// The service at its real address.
    pub fn new() -> Result<Self, WireError> {
        let link: Arc<dyn HttpClient> = Arc::new(Link::new()?);
        Ok(Self::over(&link))
    }

    /// The same over another link.
    #[must_use]
    pub fn over(link: &Arc<dyn HttpClient>) -> Self {
        let options = Patience::METADATA.options(link);
        let name = option_env!("CARGO_PKG_NAME");
        let version = option_env!("CARGO_PKG_VERSION");
        Self {
            pipeline: Pipeline::new(name, version, options, Vec::new(), Vec::new(), None),
        }
    }

    /// Reads what Azure knows about the VM.
    pub async fn instance(&self) -> Result<Instance, Error> {
        let call = call::metadata::INSTANCE;
        let body = self.get(&call, &[]).await?;
        serde_json::from_slice(&body).map_err(|source| Error::because(&call, HOST, source))
    }

    /// Fetches a document that proves which VM this is.
    pub async fn attested(&self, nonce: &Nonce) -> Result<Attested, Error> {
        #[derive(Deserialize)]
        struct Document {
            encoding: String,
            signature: String,
        }
        let call = call::metadata::ATTESTED;
        let body = self.get(&call, &[("nonce", nonce.as_str())]).await?;
        let document: Document =
            serde_json::from_slice(&body).map_err(|source| Error::because(&call, HOST, source))?;
        if document.encoding != "pkcs7" {
            let why = format!(
                "its encoding is `{}`, not `pkcs7`",
                document.encoding.escape_debug()
            );
            return Err(Error::because(&call, HOST, why));
        }
        let pkcs7 = STANDARD
            .decode(document.signature)
            .map_err(|source| Error::because(&call, HOST, source))?;
        Ok(Attested { pkcs7 })
    }

    async fn get(&self, call: &Call, query: &[(&str, &str)]) -> Result<Vec<u8>, Error> {
        let path = call
            .path
            .split_once('?')
            .map_or(call.path, |(path, _)| path);
        let mut url = Url::parse(&format!("http://{HOST}{path}"))
            .map_err(|source| Error::because(call, HOST, source))?;
        url.query_pairs_mut()
            .append_pair("api-version", call.version)
            .extend_pairs(query);
        let mut request = Request::new(url, Method::Get);
        request.insert_header("metadata", "true");
        let answer = self
            .pipeline
            .send(&Context::new(), &mut request, None)
            .await;
        let answer = answer.map_err(|error| Error::new(call, HOST, error))?;
        Ok(answer.into_body().as_ref().to_vec())
    }
}

/// The link to the metadata service, over which nothing else can be reached.
#[derive(Clone, Debug)]
pub struct Link {
    client: reqwest::Client,
    /// Where a test plays the service.
    elsewhere: Option<SocketAddr>,
}

impl Link {
    /// The link to the real address.
    pub fn new() -> Result<Self, WireError> {
        let client = transport::plain()
            .tls_backend_preconfigured(transport::no_tls()?)
            .connect_timeout(CONNECT)
            .timeout(TOTAL)
            .build()
            .map_err(|source| WireError::Client { source })?;
        Ok(Self {
            client,
            elsewhere: None,
        })
    }

    /// A link to where a test plays the service.
    #[cfg(any(test, feature = "test-util"))]
    pub fn to(elsewhere: SocketAddr) -> Result<Self, WireError> {
        Ok(Self {
            elsewhere: Some(elsewhere),
            ..Self::new()?
        })
    }
}

/// How long a connection to one's own host may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long an answer of one's own host may take.
const TOTAL: Duration = Duration::from_secs(5);

/// Most bytes of an answer. Instance metadata with many disks and tags is some 20 KB.
const ANSWER: u64 = 256 * 1024;

#[async_trait]
impl HttpClient for Link {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        if url.scheme() != "http" || url.host_str() != Some(HOST) || url.port().is_some() {
            return Err(transport::refusal(Refused::Plain {
                host: url.host_str().unwrap_or_default().to_owned(),
                scheme: "the link to the metadata service".to_owned(),
            }));
        }
        let answer = match self.elsewhere {
            None => self.client.execute_request(request).await?,
            Some(elsewhere) => {
                let mut request = request.clone();
                let moved = url.set_host_and_port(elsewhere);
                *request.url_mut() = moved.ok_or_else(|| {
                    azure_core::Error::with_message(ErrorKind::Other, "no address")
                })?;
                self.client.execute_request(&request).await?
            }
        };
        limited(answer, request.method(), ANSWER)
    }
}

/// Another host for a URL.
trait Move {
    fn set_host_and_port(&self, to: SocketAddr) -> Option<Url>;
}

impl Move for Url {
    fn set_host_and_port(&self, to: SocketAddr) -> Option<Url> {
        let mut url = self.clone();
        url.set_ip_host(to.ip()).ok()?;
        url.set_port(Some(to.port())).ok()?;
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_truth_are_read_and_unknown_stays_unknown() {
        let profile: SecurityProfile = serde_json::from_str(
            r#"{"secureBootEnabled":"true","virtualTpmEnabled":"False","encryptionAtHost":"","securityType":"TrustedLaunch"}"#,
        )
        .unwrap();

        assert_eq!(profile.secure_boot_enabled, Some(true));
        assert_eq!(profile.virtual_tpm_enabled, Some(false));
        assert_eq!(profile.encryption_at_host, None);
    }

    #[test]
    fn a_nonce_has_ten_digits() {
        assert_eq!(Nonce::new(7).as_str(), "0000000007");
        assert_eq!(Nonce::new(u64::MAX).as_str().len(), 10);
    }

    #[tokio::test]
    async fn the_link_leads_nowhere_else() {
        let link = Link::new().unwrap();
        for url in [
            "http://169.254.169.253/metadata/instance",
            "https://169.254.169.254/metadata/instance",
            "http://169.254.169.254:8080/metadata/instance",
            "http://metadata.test/metadata/instance",
        ] {
            let request = Request::new(Url::parse(url).unwrap(), Method::Get);
            assert!(link.execute_request(&request).await.is_err(), "{url}");
        }
    }
}
