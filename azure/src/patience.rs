//! Repeats requests by the rules of [`crate::retry`], within a deadline.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{ClientOptions, Context, HttpClient, Request, RetryOptions, Transport};
use tokio::time::Instant;

use crate::clock;
use crate::retry::{self, Outcome, Party, Repeat};

/// A request was not answered in time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Late {
    /// One attempt was not.
    #[error("no answer within {} s", deadline.as_secs())]
    Attempt {
        /// How long an attempt may take.
        deadline: Duration,
    },
    /// The service asks for more patience than there is.
    #[error("the service answered {status} and asks to wait for {} s, which is past the deadline", wait.as_secs())]
    Asked {
        /// What it answered.
        status: u16,
        /// How long it wants to be left alone.
        wait: Duration,
    },
}

/// How much time a request has, and whether it may be sent twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Whom it goes to.
    pub party: Party,
    /// How long one attempt may take, with fetching a token for it.
    pub attempt: Duration,
    /// How long all attempts together may take.
    pub total: Duration,
    /// Whether it may be sent twice; by its method, if nothing is said.
    pub repeat: Option<Repeat>,
}

impl Patience {
    /// For the metadata service: it is on this host, and may be updated for 70 s.
    pub(crate) const METADATA: Self = Self {
        party: Party::Metadata,
        attempt: Duration::from_secs(5),
        total: Duration::from_secs(95),
        repeat: None,
    };

    /// For requests with short answers.
    pub(crate) const SERVICE: Self = Self {
        party: Party::Service,
        attempt: Duration::from_mins(1),
        total: Duration::from_mins(3),
        repeat: None,
    };

    /// For blocks of a blob: slow links need longer for 8 MiB.
    pub(crate) const BULK: Self = Self {
        attempt: Duration::from_mins(3),
        total: Duration::from_mins(10),
        ..Self::SERVICE
    };

    /// Options for a client of the SDK: this patience instead of its own, and the given wire.
    pub(crate) fn options(self, wire: &Arc<dyn HttpClient>) -> ClientOptions {
        ClientOptions {
            per_call_policies: vec![Arc::new(self)],
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::clone(wire))),
            ..ClientOptions::default()
        }
    }
}

#[expect(
    elided_lifetimes_in_paths,
    reason = "the SDK declares the method so, for async_trait"
)]
#[async_trait]
impl Policy for Patience {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let started = Instant::now();
        let repeat = self.repeat.unwrap_or(Repeat::of(request.method()));
        let Some((first, rest)) = next.split_first() else {
            return Err(azure_core::Error::with_message(
                ErrorKind::Other,
                "nothing is left to do",
            ));
        };
        // A policy below may change the request; Key Vault's even takes the body away until it has seen the
        // challenge. Every attempt begins with the request as it was.
        let pristine = request.clone();
        for attempt in 1.. {
            request.clone_from(&pristine);
            let left = self.total.saturating_sub(started.elapsed());
            let deadline = self.attempt.min(left);
            let answer = tokio::time::timeout(deadline, first.send(context, request, rest)).await;
            let answer = answer.unwrap_or_else(|_elapsed| {
                Err(azure_core::Error::new(
                    ErrorKind::Io,
                    Late::Attempt { deadline },
                ))
            });
            let (outcome, asked) = match &answer {
                Ok(response) => {
                    let header = |name| {
                        response
                            .headers()
                            .get_optional_str(&HeaderName::from_static(name))
                    };
                    let asked = retry::asked(header, clock::now());
                    (Outcome::Status(response.status().into()), asked)
                }
                Err(error) => match outcome(error) {
                    Some(outcome) => (outcome, None),
                    None => return answer,
                },
            };
            let Some(wait) = retry::delay(self.party, repeat, outcome, attempt, asked) else {
                return answer;
            };
            let wait = retry::spread(wait, uuid::Uuid::new_v4().as_bytes()[0]);
            if started.elapsed().saturating_add(wait) >= self.total {
                return match (outcome, asked) {
                    (Outcome::Status(status), Some(wait)) => Err(azure_core::Error::new(
                        ErrorKind::Other,
                        Late::Asked { status, wait },
                    )),
                    _ => answer,
                };
            }
            tracing::debug!(?outcome, attempt, ?wait, "trying again");
            tokio::time::sleep(wait).await;
        }
        Err(azure_core::Error::with_message(
            ErrorKind::Other,
            "tried too often",
        ))
    }
}

/// What an error means for the request: whether it can have arrived. None for what trying again cannot cure.
fn outcome(error: &azure_core::Error) -> Option<Outcome> {
    match error.kind() {
        ErrorKind::Connection => Some(Outcome::Unconnected),
        ErrorKind::Io => Some(Outcome::Broken),
        _ => None,
    }
}

/// Finds the first cause of a kind in an error and its sources.
pub(crate) fn cause<'a, T: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(this) = next {
        if let Some(found) = this.downcast_ref() {
            return Some(found);
        }
        next = this.source();
    }
    None
}
