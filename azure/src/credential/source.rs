//! Where tokens come from: the credentials of the SDK, fenced in.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use azure_core::http::{AsyncRawResponse, ClientOptions, HttpClient, Request, Transport};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};

use crate::clock;
use crate::credential::Identity;
use crate::metadata::Link;
use crate::patience::Patience;
use crate::retry::{self, Outcome};
use crate::setting::Setting;

/// Why an identity cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The link to the metadata service could not be made.
    #[error("failed to set up the link to the metadata service")]
    Link {
        /// What is in the way.
        source: crate::transport::WireError,
    },
    /// The environment would send the request for a token somewhere else.
    #[error(
        "refused to ask for a token: `{variable}` in the environment would redirect the request"
    )]
    Redirected {
        /// The variable that is set.
        variable: &'static str,
    },
    /// The SDK does not take the identity.
    #[error("failed to use the identity")]
    Sdk {
        /// Why not.
        source: azure_core::Error,
    },
}

/// Variables by which the SDK would choose another place to ask than the metadata service.
const REDIRECTIONS: [&str; 6] = [
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
];

/// The source of tokens for an identity. It fetches anew each time it is asked.
pub fn source(
    identity: &Identity,
    setting: &Setting,
    wire: &Arc<dyn HttpClient>,
) -> Result<Arc<dyn TokenCredential>, SourceError> {
    let sdk = |source| SourceError::Sdk { source };
    Ok(match identity {
        Identity::AzureCli => AzureCliCredential::new(None).map_err(sdk)?,
        Identity::System => Arc::new(Managed::new(None)?),
        Identity::User { client_id } => Arc::new(Managed::new(Some(client_id.clone()))?),
        Identity::Workload {
            client_id,
            tenant_id,
            token_file,
        } => {
            let mut cloud = CustomConfiguration::default();
            setting.authority().clone_into(&mut cloud.authority_host);
            let client_options = ClientOptions {
                cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
                ..Patience::SERVICE.options(wire)
            };
            let options = WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options },
                client_id: Some(client_id.clone()),
                tenant_id: Some(tenant_id.clone()),
                token_file_path: Some(token_file.clone()),
            };
            WorkloadIdentityCredential::new(Some(options)).map_err(sdk)?
        }
    })
}

/// The VM's own identity, through the SDK, over a link that leads to the metadata service only.
#[derive(Debug)]
pub(crate) struct Managed {
    client_id: Option<String>,
    link: Arc<dyn HttpClient>,
}

impl Managed {
    fn new(client_id: Option<String>) -> Result<Self, SourceError> {
        for variable in REDIRECTIONS {
            if std::env::var_os(variable).is_some() {
                return Err(SourceError::Redirected { variable });
            }
        }
        let link = Link::new().map_err(|source| SourceError::Link { source })?;
        Ok(Self {
            client_id,
            link: Arc::new(link),
        })
    }

    /// The same over another link.
    #[cfg(any(test, feature = "test-util"))]
    pub(crate) fn over(identity: &Identity, link: Arc<dyn HttpClient>) -> Self {
        let client_id = match identity {
            Identity::User { client_id } => Some(client_id.clone()),
            Identity::AzureCli | Identity::System | Identity::Workload { .. } => None,
        };
        Self { client_id, link }
    }
}

#[async_trait]
impl TokenCredential for Managed {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        // A credential of its own each time: the SDK's would answer from its cache until five minutes before
        // the end, which is too late to find out that the service is sick.
        let credential = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
            user_assigned_id: self.client_id.clone().map(UserAssignedId::ClientId),
            client_options: ClientOptions {
                transport: Some(Transport::new(Arc::new(Once(Arc::clone(&self.link))))),
                ..ClientOptions::default()
            },
        }))?;
        credential.get_token(scopes, options).await
    }
}

/// A link on which the SDK does not try again by itself.
///
/// It would go on for 72 s without a word, by rules of its own. What fails is made final here, so that whoever
/// waits can be told why, and so that there is one table of rules.
#[derive(Debug)]
struct Once(Arc<dyn HttpClient>);

/// An answer that holds no token.
#[derive(Debug, thiserror::Error)]
#[error("answered {status}")]
struct Answered {
    status: u16,
    asked: Option<Duration>,
}

#[async_trait]
impl HttpClient for Once {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.0.execute_request(request).await;
        let answer = answer.map_err(|error| {
            azure_core::Error::with_error(ErrorKind::Other, error, "failed to ask for a token")
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let header = |name| {
            answer
                .headers()
                .get_optional_str(&HeaderName::from_static(name))
        };
        let asked = retry::asked(header, clock::now());
        let answered = Answered {
            status: answer.status().into(),
            asked,
        };
        Err(azure_core::Error::new(ErrorKind::Other, answered))
    }
}

/// What became of an attempt to fetch a token, in words that hold nothing of the answer but its status.
///
/// The SDK's errors carry whole answers along. Whoever garbles a token's answer would find it in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Trouble {
    /// What happened.
    pub text: String,
    /// Whether asking again is of no use before somebody changes something.
    pub lasting: bool,
    /// What it is to the table of rules; none for what is in no table.
    pub outcome: Option<Outcome>,
    /// How long the source wants to be left alone.
    pub asked: Option<Duration>,
}

impl Trouble {
    /// Trouble that no table speaks of.
    pub(crate) fn other(text: String) -> Self {
        Self {
            text,
            lasting: false,
            outcome: None,
            asked: None,
        }
    }

    /// Reads the SDK's error.
    pub(crate) fn of(error: &azure_core::Error) -> Self {
        let mut deepest: &(dyn StdError + 'static) = error;
        let (mut status, mut asked, mut broken) = (None, None, None);
        loop {
            if let Some(answered) = deepest.downcast_ref::<Answered>() {
                (status, asked) = (Some(answered.status), answered.asked);
            }
            if let Some(sdk) = deepest.downcast_ref::<azure_core::Error>() {
                match sdk.kind() {
                    ErrorKind::HttpResponse {
                        status: answered, ..
                    } => {
                        status = Some(u16::from(*answered));
                    }
                    ErrorKind::Connection => broken = Some(Outcome::Unconnected),
                    ErrorKind::Io => broken = Some(Outcome::Broken),
                    _ => {}
                }
            }
            match deepest.source() {
                Some(source) => deepest = source,
                None => break,
            }
        }
        match (status, broken) {
            (Some(status), _) => Self {
                asked,
                ..Self::answered(status)
            },
            (None, Some(_)) => Self {
                outcome: broken,
                ..Self::other(format!("its source cannot be reached ({deepest})"))
            },
            (None, None) => Self::other(
                "its source gave an answer that cannot be understood, or none".to_owned(),
            ),
        }
    }

    fn answered(status: u16) -> Self {
        let (why, lasting) = match status {
            400 => (": this identity is not assigned to this machine", true),
            401 | 403 => (": this machine may not have one", true),
            404 | 410 => (": the service is being updated", false),
            429 => (": too many requests from this machine", false),
            _ => ("", false),
        };
        Self {
            lasting,
            outcome: Some(Outcome::Status(status)),
            ..Self::other(format!("its source answered {status}{why}"))
        }
    }
}
