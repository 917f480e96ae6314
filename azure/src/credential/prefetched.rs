//! Tokens that are there before they are needed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::source::Trouble;
use super::{Token, Unavailable};
use crate::clock;
use crate::retry::{self, Outcome, Party, Repeat};

/// A credential that fetches in the background and answers from memory.
///
/// A caller waits only while there is no valid token, and then no longer than the given patience. A token is
/// served until shortly before it expires, however sick its source is. The background tasks end with the last
/// clone. It must be made within a tokio runtime.
#[derive(Clone)]
pub struct Prefetched {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn TokenCredential>,
    patience: Duration,
    now: Clock,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
}

/// Tells the time of day. Tests have their own.
type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// What is held for one scope.
struct Slot {
    held: watch::Sender<Held>,
    /// Somebody waits.
    wanted: Notify,
}

#[derive(Clone, Debug, Default)]
struct Held {
    token: Option<Arc<Token>>,
    due: Option<OffsetDateTime>,
    trouble: Option<Trouble>,
    failures: u32,
}

/// How well a token is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Valid, and not yet due for renewal.
    Fresh,
    /// Valid, due for renewal, and not renewed yet.
    Ageing,
    /// Valid for five minutes at most.
    Stale,
    /// There is none, or it is not valid any more.
    Expired,
}

/// How the token for a scope is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Health {
    /// Whom the token is for.
    pub scope: String,
    /// How well it is.
    pub state: State,
    /// For how many seconds it is valid.
    pub valid_seconds: u64,
    /// What happened to the last attempt to renew it, where that failed.
    pub trouble: Option<String>,
}

/// How long before its end a token is no longer served, so that it does not end on its way.
const SKEW: Duration = Duration::from_secs(30);

/// From when on a token is stale. It is also when the SDK's own policy begins to ask for another.
const STALE: Duration = Duration::from_mins(5);

/// How long one attempt may take. The Azure CLI takes some seconds to start; a federation's is a request
/// with repetitions.
const FETCH: Duration = Duration::from_secs(100);

/// Longest wait between two attempts.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest wait that a source may ask for.
const PATIENT: Duration = Duration::from_mins(5);

/// Shortest wait between two attempts: the service takes 20 requests a second from a whole VM.
const SHORTEST: Duration = Duration::from_secs(1);

/// How long a caller waits for a first token unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(30);

impl Prefetched {
    /// Fetches from a source.
    #[must_use]
    pub fn new(source: Arc<dyn TokenCredential>) -> Self {
        Self::with(source, PATIENCE, Arc::new(clock::now))
    }

    /// The same with another patience for callers that find no valid token.
    #[must_use]
    pub fn patient(source: Arc<dyn TokenCredential>, patience: Duration) -> Self {
        Self::with(source, patience, Arc::new(clock::now))
    }

    fn with(source: Arc<dyn TokenCredential>, patience: Duration, now: Clock) -> Self {
        let slots = Mutex::new(BTreeMap::new());
        Self {
            shared: Arc::new(Shared {
                source,
                patience,
                now,
                slots,
            }),
        }
    }

    /// Begins to fetch a token before anybody asks for it.
    pub fn prefetch(&self, scope: &str) {
        self.slot(scope);
    }

    /// How the tokens are, by scope.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        let now = (self.shared.now)();
        let slots = self
            .shared
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        slots
            .iter()
            .map(|(scope, slot)| {
                let held = slot.held.borrow();
                Health {
                    scope: scope.clone(),
                    state: held.state(now),
                    valid_seconds: held.left(now).as_secs(),
                    trouble: held.trouble.as_ref().map(|trouble| trouble.text.clone()),
                }
            })
            .collect()
    }

    fn slot(&self, scope: &str) -> Arc<Slot> {
        let mut slots = self
            .shared
            .slots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(scope) {
            return Arc::clone(slot);
        }
        let slot = Arc::new(Slot {
            held: watch::Sender::default(),
            wanted: Notify::new(),
        });
        slots.insert(scope.to_owned(), Arc::clone(&slot));
        let renewer = Renewer {
            source: Arc::clone(&self.shared.source),
            now: Arc::clone(&self.shared.now),
            scope: scope.to_owned(),
            slot: Arc::downgrade(&slot),
        };
        drop(tokio::spawn(renewer.run()));
        slot
    }
}

impl fmt::Debug for Prefetched {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Prefetched")
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TokenCredential for Prefetched {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let [scope] = scopes else {
            return Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                "one scope, please",
            ));
        };
        let slot = self.slot(scope);
        let mut news = slot.held.subscribe();
        let (started, patience) = (Instant::now(), self.shared.patience);
        let mut called = false;
        loop {
            let trouble = {
                let held = news.borrow_and_update();
                if let Some(token) = held.usable((self.shared.now)()) {
                    return Ok(token.lend());
                }
                held.trouble.clone()
            };
            if !called {
                slot.wanted.notify_one();
                called = true;
            }
            let lasting = trouble.as_ref().is_some_and(|trouble| trouble.lasting);
            let late = lasting
                || tokio::time::timeout_at(started + patience, news.changed())
                    .await
                    .is_err();
            if late {
                let unavailable = Unavailable {
                    scope: (*scope).to_owned(),
                    waited: started.elapsed(),
                    trouble: trouble.map_or_else(
                        || "its source has not answered yet".to_owned(),
                        |trouble| trouble.text,
                    ),
                };
                return Err(azure_core::Error::new(ErrorKind::Credential, unavailable));
            }
        }
    }
}

impl Held {
    fn usable(&self, now: OffsetDateTime) -> Option<&Token> {
        self.token
            .as_deref()
            .filter(|token| now + SKEW < token.expires())
    }

    fn left(&self, now: OffsetDateTime) -> Duration {
        let left = self.usable(now).map(|token| token.expires() - now);
        left.and_then(|left| Duration::try_from(left).ok())
            .unwrap_or_default()
    }

    fn state(&self, now: OffsetDateTime) -> State {
        let left = self.left(now);
        if left.is_zero() {
            State::Expired
        } else if left <= STALE {
            State::Stale
        } else if self.due.is_some_and(|due| due <= now) {
            State::Ageing
        } else {
            State::Fresh
        }
    }
}

/// Renews the token of one slot until nobody holds the slot any more.
struct Renewer {
    source: Arc<dyn TokenCredential>,
    now: Clock,
    scope: String,
    slot: std::sync::Weak<Slot>,
}

impl Renewer {
    async fn run(self) {
        loop {
            let scopes = [self.scope.as_str()];
            let fetched = tokio::time::timeout(FETCH, self.source.get_token(&scopes, None)).await;
            let Some(slot) = self.slot.upgrade() else {
                return;
            };
            let now = (self.now)();
            let outcome = match fetched {
                Ok(Ok(token)) if token.expires_on > now + SKEW => Ok(Token::new(&token)),
                Ok(Ok(_)) => Err(Trouble::other(
                    "its source gave one that has expired; is this machine's clock right?"
                        .to_owned(),
                )),
                Ok(Err(error)) => Err(Trouble::of(&error)),
                Err(_elapsed) => Err(Trouble::other(format!(
                    "its source gave no answer within {} s",
                    FETCH.as_secs()
                ))),
            };
            slot.held.send_modify(|held| held.take(outcome, now));
            let wait = self.wait(&slot.held.borrow(), now);
            let told = slot
                .held
                .borrow()
                .trouble
                .as_ref()
                .is_some_and(|t| t.asked.is_some());
            drop(slot);
            if !self.rest(wait, told).await {
                return;
            }
        }
    }

    /// How long until the next attempt. There always is one: the table says how long to wait, not when to give
    /// up.
    fn wait(&self, held: &Held, now: OffsetDateTime) -> Duration {
        let Some(trouble) = &held.trouble else {
            let due = held.due.and_then(|due| Duration::try_from(due - now).ok());
            return due.unwrap_or(SHORTEST).max(SHORTEST);
        };
        tracing::warn!(
            scope = self.scope,
            trouble = trouble.text,
            "token not renewed"
        );
        let rule = trouble.outcome.unwrap_or(Outcome::Broken);
        let wait = retry::delay(
            Party::Metadata,
            Repeat::Same,
            rule,
            held.failures,
            trouble.asked,
        );
        let wait = wait.unwrap_or(LONGEST).min(PATIENT);
        retry::spread(wait, uuid::Uuid::new_v4().as_bytes()[0])
    }

    /// Waits; shorter if somebody waits for a token and the source has not asked to be left alone. False when
    /// nobody holds the slot any more.
    ///
    /// In slices, because a VM that was frozen has lost time that the timer does not know of, and because the
    /// slot may be gone.
    async fn rest(&self, wait: Duration, told: bool) -> bool {
        let until = Instant::now() + wait;
        let due = (self.now)() + wait;
        tokio::time::sleep(wait.min(SHORTEST)).await;
        loop {
            let Some(slot) = self.slot.upgrade() else {
                return false;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || (self.now)() >= due {
                return true;
            }
            let slice = tokio::time::sleep(left.min(LONGEST));
            tokio::select! {
                () = slice => {}
                () = slot.wanted.notified(), if !told => {
                    // Who waited before the last answer has left a call behind that is answered already.
                    if slot.held.borrow().usable((self.now)()).is_none() {
                        return true;
                    }
                }
            }
        }
    }
}

impl Held {
    /// Takes over what an attempt gave. A failure leaves the token that is there.
    fn take(&mut self, outcome: Result<Token, Trouble>, now: OffsetDateTime) {
        match outcome {
            Ok(token) => {
                // Half of what is left. The metadata service hands out the same token until late in its
                // life, so this comes to several attempts, each nearer to the end.
                self.due = Some(now + (token.expires() - now) / 2);
                self.token = Some(Arc::new(token));
                self.trouble = None;
                self.failures = 0;
            }
            Err(trouble) => {
                self.trouble = Some(trouble);
                self.failures = self.failures.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests;
