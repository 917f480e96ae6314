//! What stands before Azurite.

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{Method, Request};
use jiff::Timestamp;

use super::worm::Hold;
use super::{Created, Storage, door, listing};
use crate::lab::network::addresses;
use crate::lab::site::Respond;
use crate::lab::site::message::{Answer, Call, storage_error, whole, with};

/// The public address of a locked-down account: its firewall lets nobody in.
#[derive(Clone, Copy, Debug)]
pub(in crate::lab) struct Shut;

#[async_trait]
impl Respond for Shut {
    async fn respond(&self, _: Call) -> Answer {
        let message = "This request is not authorized to perform this operation.";
        storage_error(403, "AuthorizationFailure", message)
    }
}

#[async_trait]
impl Respond for Storage {
    async fn respond(&self, call: Call) -> Answer {
        match self.answer(call).await {
            Ok(answer) | Err(answer) => answer,
        }
    }
}

/// What a request is about.
struct Target {
    container: String,
    name: String,
    comp: String,
    of_container: bool,
}

impl Target {
    fn of(call: &Call) -> Self {
        let mut pieces = call.pieces().into_iter();
        let container = pieces.next().unwrap_or_default();
        let name = pieces.collect::<Vec<_>>().join("/");
        let of_container = call.query("restype").is_some();
        Self {
            container,
            name,
            comp: call.query("comp").unwrap_or_default(),
            of_container,
        }
    }

    fn is_blob(&self) -> bool {
        !self.name.is_empty() && !self.of_container
    }

    /// Whether the blob is written whole: Put Blob and Put Block List.
    fn writes(&self, call: &Call) -> bool {
        self.is_blob()
            && call.method() == Method::PUT
            && ["", "blocklist"].contains(&self.comp.as_str())
    }

    /// Whether what is there would be altered.
    fn alters(&self, call: &Call) -> bool {
        let changes =
            ["appendblock", "metadata", "page", "properties"].contains(&self.comp.as_str());
        // Create-only writes fail of themselves when something is there.
        let only_new = call.header("if-none-match") == Some("*");
        let puts = call.method() == Method::PUT && (changes || self.writes(call)) && !only_new;
        self.is_blob() && (puts || (call.method() == Method::DELETE && self.comp.is_empty()))
    }
}

impl Storage {
    async fn answer(&self, mut call: Call) -> Result<Answer, Answer> {
        let target = Target::of(&call);
        let key = (target.container.clone(), target.name.clone());
        {
            let mut state = self.state();
            door::check(&call, self.account, &state.strangers)?;
            let asked = call.query("versionid");
            let hold = state.held.get_mut(&key);
            if let Some(asked) = asked
                && !hold.as_ref().is_some_and(|hold| hold.is_version(&asked))
            {
                return Err(storage_error(
                    404,
                    "BlobNotFound",
                    "The specified blob does not exist.",
                ));
            }
            if let Some(hold) = hold {
                match target.comp.as_str() {
                    "immutabilityPolicies" => return Ok(hold.policy(&call)),
                    "legalhold" => return Ok(hold.legal_hold(&call)),
                    _ if target.alters(&call) => {
                        if let Some(refusal) = hold.refuse() {
                            return Err(refusal);
                        }
                    }
                    _ => {}
                }
            }
        }
        let answer = self.pass_on(&mut call).await?;
        if !answer.status().is_success() {
            return Ok(answer);
        }
        if target.comp == "list" && !target.container.is_empty() {
            return self.complete(answer, &target.container).await;
        }
        Ok(self.remember(answer, &call, &target, key))
    }

    /// Notes what the request changed, and tells what is known of what it asked for.
    fn remember(
        &self,
        answer: Answer,
        call: &Call,
        target: &Target,
        key: (String, String),
    ) -> Answer {
        let mut state = self.state();
        let lockdown = state.lockdown;
        if target.writes(call) {
            let hold = Hold::new(lockdown);
            let answer = hold.announce(answer, false);
            let (container, name) = key.clone();
            state.created.push(Created {
                container,
                name,
                at: Timestamp::now(),
            });
            state.held.insert(key, hold);
            return answer;
        }
        if call.method() == Method::DELETE {
            state.held.remove(&key);
            return answer;
        }
        if target.of_container && lockdown.announced {
            let answer = with(answer, "x-ms-has-immutability-policy", "true");
            return with(
                answer,
                "x-ms-immutable-storage-with-versioning-enabled",
                "true",
            );
        }
        let reads = [Method::GET, Method::HEAD].contains(call.method());
        match state.held.get(&key) {
            Some(hold) if target.is_blob() && reads => hold.announce(answer, true),
            _ => answer,
        }
    }

    async fn complete(&self, answer: Answer, container: &str) -> Result<Answer, Answer> {
        let (mut head, body) = answer.into_parts();
        let body = body.collect().await;
        let body =
            body.map_err(|broken| storage_error(500, "InternalError", &broken.to_string()))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let text = listing::completed(&text, container, &self.state().held);
        for header in [CONTENT_LENGTH, TRANSFER_ENCODING] {
            head.headers.remove(header);
        }
        Ok(Answer::from_parts(head, whole(text)))
    }

    /// Asks Azurite.
    async fn pass_on(&self, call: &mut Call) -> Result<Answer, Answer> {
        let failed =
            |broken: &dyn std::fmt::Display| storage_error(503, "ServerBusy", &broken.to_string());
        let (path, query) = call.target().split_once('?').unwrap_or((call.target(), ""));
        let query = if query.contains("comp=list") {
            listing::known(query)
        } else {
            query.to_owned()
        };
        let query: Vec<_> = query
            .split('&')
            .filter(|pair| !pair.starts_with("versionid="))
            .collect();
        let uri = format!(
            "https://{}{path}?{}",
            addresses::STORAGE_DIRECT,
            query.join("&")
        );
        let mut request = Request::builder().method(call.method().clone()).uri(uri);
        for (name, value) in call.headers() {
            // Azurite refuses what it does not know to do.
            let unknown =
                name.as_str().starts_with("x-ms-immutability") || name == "x-ms-legal-hold";
            if !unknown && name != CONNECTION && name != TRANSFER_ENCODING {
                request = request.header(name, value);
            }
        }
        let request = request
            .body(call.stream())
            .map_err(|broken| failed(&broken))?;
        let answer = self
            .caller
            .request(request)
            .await
            .map_err(|broken| failed(&broken))?;
        let (mut head, body) = answer.into_parts();
        head.headers.remove(CONNECTION);
        Ok(Answer::from_parts(
            head,
            body.map_err(Into::into).boxed_unsync(),
        ))
    }
}
