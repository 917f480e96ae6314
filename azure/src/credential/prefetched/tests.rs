use std::collections::VecDeque;

use azure_core::http::HttpClient;
use time::Duration as Span;

use super::*;
use crate::credential::Identity;
use crate::credential::source::Managed;
use crate::fake::{Failing, Fault, Script};

/// What a source does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Cannot be reached until so many seconds after the start; then gives a token that is valid so long.
    Await(u64, i64),
    /// Gives a token that is valid for so many seconds.
    Give(i64),
    /// Never answers.
    Hang,
    /// Cannot be reached.
    Unreachable,
}

/// A source that does one thing after the other, and the last one for ever.
#[derive(Debug)]
struct Source {
    script: Mutex<VecDeque<Does>>,
    start: Instant,
}

impl Source {
    fn new(script: &[Does]) -> Arc<Self> {
        let script = Mutex::new(script.iter().copied().collect());
        Arc::new(Self {
            script,
            start: Instant::now(),
        })
    }
}

#[async_trait]
impl TokenCredential for Source {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let does = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 {
                script.pop_front()
            } else {
                script.front().copied()
            }
        };
        let does = match does.unwrap() {
            Does::Await(until, _) if self.start.elapsed().as_secs() < until => Does::Unreachable,
            other => other,
        };
        match does {
            Does::Await(_, seconds) | Does::Give(seconds) => {
                let expires = at(self.start) + Span::seconds(seconds);
                Ok(AccessToken::new(format!("token-of-{seconds}s"), expires))
            }
            Does::Hang => std::future::pending().await,
            Does::Unreachable => Err(azure_core::Error::with_message(
                ErrorKind::Connection,
                "no route to host",
            )),
        }
    }
}

/// The time of day in these tests: it runs with tokio's clock, which stands still unless all wait.
fn at(start: Instant) -> OffsetDateTime {
    let base = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
    base + start.elapsed()
}

fn over(source: Arc<dyn TokenCredential>) -> Prefetched {
    let start = Instant::now();
    Prefetched::with(source, PATIENCE, Arc::new(move || at(start)))
}

const SCOPE: &str = "https://storage.azure.com/.default";

async fn token(prefetched: &Prefetched) -> Result<String, String> {
    let token = prefetched.get_token(&[SCOPE], None).await;
    token
        .map(|token| token.token.secret().to_owned())
        .map_err(|error| error.to_string())
}

fn state(prefetched: &Prefetched) -> State {
    prefetched.health()[0].state
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_while_a_valid_token_is_there_and_its_source_hangs() {
    let tokens = over(Source::new(&[Does::Give(3600), Does::Hang]));
    assert_eq!(token(&tokens).await.unwrap(), "token-of-3600s");

    for _ in 0..350 {
        pass(10).await;
        let asked = Instant::now();
        token(&tokens).await.unwrap();
        assert!(
            asked.elapsed() <= Duration::from_millis(50),
            "waited {:?}",
            asked.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_goes_through_all_states_while_its_source_is_away() {
    let tokens = over(Source::new(&[Does::Give(3600), Does::Unreachable]));
    token(&tokens).await.unwrap();

    assert_eq!(state(&tokens), State::Fresh);
    pass(1900).await;
    assert_eq!(state(&tokens), State::Ageing);
    let trouble = tokens.health()[0].trouble.clone().unwrap();
    assert!(trouble.contains("cannot be reached"), "{trouble}");
    pass(1500).await;
    assert_eq!(state(&tokens), State::Stale);
    assert!(token(&tokens).await.is_ok());
    pass(200).await;
    assert_eq!(state(&tokens), State::Expired);
}

#[tokio::test(start_paused = true)]
async fn without_a_valid_token_the_error_comes_within_the_deadline_and_says_why() {
    let tokens = over(Source::new(&[Does::Unreachable]));
    let asked = Instant::now();

    let error = token(&tokens).await.unwrap_err();

    assert_eq!(asked.elapsed(), PATIENCE);
    assert_eq!(
        error,
        format!(
            "no token for `{SCOPE}` within 30 s: its source cannot be reached (no route to host)"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_replaced_without_a_restart() {
    let tokens = over(Source::new(&[
        Does::Give(600),
        Does::Hang,
        Does::Await(900, 90_000),
    ]));
    token(&tokens).await.unwrap();
    pass(580).await;
    assert_eq!(state(&tokens), State::Expired);

    assert!(token(&tokens).await.is_err());
    pass(330).await;

    assert_eq!(token(&tokens).await.unwrap(), "token-of-90000s");
    assert_eq!(state(&tokens), State::Fresh);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_served_as_soon_as_the_source_is_back() {
    let tokens = over(Source::new(&[
        Does::Unreachable,
        Does::Unreachable,
        Does::Unreachable,
        Does::Give(3600),
    ]));
    let asked = Instant::now();

    assert!(token(&tokens).await.is_ok());

    assert!(
        asked.elapsed() < Duration::from_secs(15),
        "waited {:?}",
        asked.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_long_before_it_expires() {
    let tokens = over(Source::new(&[Does::Give(3600), Does::Give(9000)]));
    token(&tokens).await.unwrap();
    pass(1850).await;
    assert_eq!(token(&tokens).await.unwrap(), "token-of-9000s");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_has_expired_on_arrival_points_to_the_clock() {
    let tokens = over(Source::new(&[Does::Give(-3600)]));
    let error = token(&tokens).await.unwrap_err();
    assert!(error.contains("is this machine's clock right?"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_token_is_not_served_in_its_last_seconds() {
    let tokens = over(Source::new(&[Does::Give(100), Does::Hang]));
    token(&tokens).await.unwrap();
    pass(69).await;
    assert!(token(&tokens).await.is_ok());
    pass(2).await;
    assert!(token(&tokens).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn scopes_do_not_hold_each_other_up() {
    let tokens = over(Source::new(&[Does::Give(3600), Does::Hang]));
    token(&tokens).await.unwrap();
    tokens.prefetch("https://monitor.azure.com/.default");

    let asked = Instant::now();
    token(&tokens).await.unwrap();
    assert!(asked.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_fetched_after_the_last_holder_is_gone() {
    let source = Source::new(&[Does::Unreachable]);
    let weak = Arc::downgrade(&source);
    let tokens = over(source);
    tokens.prefetch(SCOPE);
    pass(5).await;
    drop(tokens);
    pass(120).await;
    assert!(weak.upgrade().is_none());
}

/// What the metadata service answers with a token in it, by the clock of these tests.
fn answer(seconds: i64) -> String {
    // The SDK compares with the real clock only to decide on caching, and each attempt is its own.
    let expires = at(Instant::now()).unix_timestamp() + seconds;
    format!(
        r#"{{"access_token":"canary","expires_on":"{expires}","token_type":"Bearer","resource":"https://storage.azure.com","client_id":"11"}}"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_metadata_service_that_is_gone_for_seventy_seconds_is_an_error_and_then_is_not() {
    let gone = (1..=7).map(|number| (number, Fault::Status(410)));
    let script = Arc::new(Script::new().answer(200, &[], answer(3600)));
    let link: Arc<dyn HttpClient> = Arc::new(Failing::new(script.clone(), gone));
    let tokens = over(Arc::new(Managed::over(&Identity::System, link)));
    let asked = Instant::now();

    let error = token(&tokens).await.unwrap_err();
    assert_eq!(asked.elapsed(), PATIENCE);
    assert!(
        error.contains("its source answered 410: the service is being updated"),
        "{error}"
    );
    pass(60).await;

    assert_eq!(token(&tokens).await.unwrap(), "canary");
    assert_eq!(
        script.asked()[0].line(),
        "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2019-08-01\
         &resource=https%3A%2F%2Fstorage.azure.com"
    );
    assert_eq!(script.asked()[0].headers["metadata"], "true");
}

/// The documented rule is one question every ten seconds.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_being_updated_is_not_pestered_however_many_wait() {
    let gone = (1..=100).map(|number| (number, Fault::Status(410)));
    let failing = Arc::new(Failing::new(Arc::new(Script::new()), gone));
    let tokens = over(Arc::new(Managed::over(&Identity::System, failing.clone())));

    let waiting = (0..50).map(|_| token(&tokens));
    let errors = futures::future::join_all(waiting).await;

    assert!(errors.iter().all(Result::is_err));
    assert!(failing.count() <= 5, "{} requests in 30 s", failing.count());
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_as_asked() {
    let script = Script::new()
        .answer(429, &[("retry-after", "7")], "")
        .answer(200, &[], answer(3600));
    let tokens = over(Arc::new(Managed::over(&Identity::System, Arc::new(script))));
    let asked = Instant::now();

    assert!(token(&tokens).await.is_ok());
    assert!(
        asked.elapsed() >= Duration::from_secs(7),
        "waited {:?}",
        asked.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn garbage_is_an_error_that_does_not_repeat_it() {
    let garbage = [
        r#"{"access_token":"canary""#,
        r#"{"access_token":"canary","expires_on":1800003600,"token_type":"Bearer","resource":"r"}"#,
        r#"{"access_token":{"canary":1},"expires_on":"canary","token_type":"canary"}"#,
        "canary",
        "",
    ];
    for body in garbage {
        let script = Script::new();
        for _ in 0..40 {
            script.push(200, &[], body);
        }
        let tokens = over(Arc::new(Managed::over(&Identity::System, Arc::new(script))));

        let error = tokens.get_token(&[SCOPE], None).await.unwrap_err();

        let shown = format!("{error} {error:?} {tokens:?}");
        assert!(shown.contains("cannot be understood"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_is_not_there_is_an_error_at_once() {
    let script = Script::new().answer(
        400,
        &[],
        r#"{"error":"invalid_request","error_description":"Identity not found"}"#,
    );
    let tokens = over(Arc::new(Managed::over(&Identity::System, Arc::new(script))));
    let asked = Instant::now();

    let error = token(&tokens).await.unwrap_err();

    assert!(
        error.contains("400: this identity is not assigned to this machine"),
        "{error}"
    );
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "waited {:?}",
        asked.elapsed()
    );
}
