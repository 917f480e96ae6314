//! Long-running operations of Azure Resource Manager: begun with one request, followed with others.
//!
//! The protocol is described in "Track asynchronous Azure operations" of the Resource Manager documentation:
//! `Azure-AsyncOperation` is preferred to `Location`, any status but three means that it still runs, and
//! `Retry-After` says when to ask again.

use std::time::Duration;

use azure_core::http::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use crate::arm::{self, Arm, Reply};
use crate::call::{self, Call};
use crate::error::Error;
use crate::retry::Repeat;

/// An operation that was begun.
#[derive(Clone, Debug)]
pub struct Operation {
    arm: Arm,
    call: Call,
    object: String,
    follow: Follow,
    /// Where the result stands in the end; none if there is none.
    result: Option<Url>,
    /// What the service answered at first.
    first: Value,
    asked: Option<Duration>,
}

/// Where news of an operation come from.
#[derive(Clone, Debug)]
enum Follow {
    /// It was over with the first answer.
    Done,
    /// From the operation itself.
    Operation(Url),
    /// From where the result will stand: 202 while it runs.
    Location(Url),
    /// From the resource's `provisioningState`.
    Resource(Url),
}

/// News of an operation.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct News {
    /// The service's own word for how it is.
    pub status: String,
    /// How much is done, in percent, where the service says so.
    pub percent: Option<u8>,
}

/// An operation that did not come to a good end.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// Somebody cancelled it.
    #[error("`{object}` was cancelled")]
    Canceled {
        /// What it was about.
        object: String,
    },
    /// It failed.
    #[error("`{object}` failed: {code}: {message}")]
    Failed {
        /// What it was about.
        object: String,
        /// Azure's code for it.
        code: String,
        /// What Azure says about it.
        message: String,
    },
    /// It still ran when the time was over. It may go on: the link follows it further.
    #[error("`{object}` is still `{status}` after {} s", waited.as_secs())]
    Late {
        /// What it was about.
        object: String,
        /// How it was.
        status: String,
        /// How long was waited.
        waited: Duration,
    },
    /// A request failed.
    #[error(transparent)]
    Request(#[from] Error),
}

/// First wait between two questions where the service does not say.
const FIRST: Duration = Duration::from_secs(2);

/// Longest wait between two questions where the service does not say.
const LONGEST: Duration = Duration::from_secs(30);

impl Arm {
    /// Sends a request of the table that begins an operation.
    pub async fn begin(
        &self,
        call: &Call,
        parts: &[&str],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Operation, Error> {
        let reply = self.send(call, parts, body, Repeat::Differs).await?;
        let object = arm::object(call, parts);
        let own = |link: &str| {
            self.own(link)
                .map_err(|source| Error::because(call, object.clone(), source))
        };
        let resource = self.url(call, parts)?;
        let first: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let location = reply.header("location").map(own).transpose()?;
        let follow = match (reply.header("azure-asyncoperation"), &location) {
            (Some(link), _) => Follow::Operation(own(link)?),
            // A 201 names the new resource in `Location`; only a 202 promises a result there.
            (None, Some(location)) if reply.status == 202 => Follow::Location(location.clone()),
            _ if matches!(call.method, "PUT" | "PATCH") && state(&first).is_some_and(runs) => {
                Follow::Resource(resource.clone())
            }
            _ => Follow::Done,
        };
        let result = match call.method {
            "PUT" | "PATCH" => Some(resource),
            "POST" => location,
            _ => None,
        };
        let asked = reply.retry_after();
        Ok(Operation {
            arm: self.clone(),
            call: *call,
            object,
            follow,
            result,
            first,
            asked,
        })
    }

    /// Takes up an operation again whose link was kept.
    pub fn attach(&self, link: &str) -> Result<Operation, Error> {
        let call = call::operation::POLL;
        let url = self
            .own(link)
            .map_err(|source| Error::because(&call, link, source))?;
        Ok(Operation {
            arm: self.clone(),
            call,
            object: url.path().to_owned(),
            follow: Follow::Operation(url),
            result: None,
            first: Value::Null,
            asked: None,
        })
    }
}

impl Operation {
    /// The link by which the operation can be followed later; none if it is over.
    #[must_use]
    pub fn link(&self) -> Option<&str> {
        match &self.follow {
            Follow::Done => None,
            Follow::Operation(url) | Follow::Location(url) | Follow::Resource(url) => {
                Some(url.as_str())
            }
        }
    }

    /// Follows the operation to its end and gives its result. News are told as they come.
    ///
    /// To stop following, drop the future: the operation goes on. What ends it is a request of its own.
    pub async fn wait(
        self,
        deadline: Duration,
        mut tell: impl FnMut(&News) + Send,
    ) -> Result<Value, OperationError> {
        let (started, mut own) = (Instant::now(), FIRST);
        let mut asked = self.asked;
        let mut told = News::default();
        loop {
            let (news, result) = match &self.follow {
                Follow::Done => return Ok(self.first),
                Follow::Operation(url) => self.ask_operation(url, &mut asked).await?,
                Follow::Location(url) => self.ask_location(url, &mut asked).await?,
                Follow::Resource(url) => self.ask_resource(url, &mut asked).await?,
            };
            if news != told {
                tell(&news);
                told = news;
            }
            if let Some(result) = result {
                return match (result, &self.result) {
                    (Value::Null, Some(url)) => Ok(self.fetch(url).await?),
                    (result, _) => Ok(result),
                };
            }
            let wait = asked.take().unwrap_or(own);
            own = own
                .saturating_mul(3)
                .checked_div(2)
                .unwrap_or(LONGEST)
                .min(LONGEST);
            if started.elapsed().saturating_add(wait) > deadline {
                let (object, status) = (self.object, told.status);
                return Err(OperationError::Late {
                    object,
                    status,
                    waited: started.elapsed(),
                });
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn reply(&self, url: &Url, asked: &mut Option<Duration>) -> Result<Reply, Error> {
        let poll = call::operation::POLL;
        let reply = self.arm.to(&poll, url, None, Repeat::Same).await?;
        *asked = reply.retry_after();
        Ok(reply)
    }

    async fn fetch(&self, url: &Url) -> Result<Value, Error> {
        let reply = self.reply(url, &mut None).await?;
        if reply.body.is_empty() {
            return Ok(Value::Null);
        }
        self.read(&reply)
    }

    fn read(&self, reply: &Reply) -> Result<Value, Error> {
        let read = serde_json::from_slice(&reply.body);
        read.map_err(|source| Error::because(&self.call, &self.object, source))
    }

    /// News from the operation; null as the result where it stands elsewhere.
    async fn ask_operation(
        &self,
        url: &Url,
        asked: &mut Option<Duration>,
    ) -> Result<(News, Option<Value>), OperationError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            status: String,
            percent_complete: Option<f64>,
            error: Option<Value>,
            properties: Option<Value>,
        }
        let reply = self.reply(url, asked).await?;
        let body: Body = serde_json::from_slice(&reply.body)
            .map_err(|source| Error::because(&self.call, &self.object, source))?;
        let percent = body.percent_complete.and_then(percent);
        let over = self.ended(&body.status, body.error.as_ref())?;
        let news = News {
            status: body.status,
            percent,
        };
        let output = body
            .properties
            .filter(|_| self.result.is_none())
            .unwrap_or_default();
        Ok((news, over.then_some(output)))
    }

    async fn ask_location(
        &self,
        url: &Url,
        asked: &mut Option<Duration>,
    ) -> Result<(News, Option<Value>), OperationError> {
        let reply = self.reply(url, asked).await?;
        if reply.status == 202 {
            return Ok((
                News {
                    status: "Accepted".to_owned(),
                    percent: None,
                },
                None,
            ));
        }
        let news = News {
            status: "Succeeded".to_owned(),
            percent: None,
        };
        if reply.body.is_empty() {
            // 204: there is no result, wherever one might look.
            return Ok((news, Some(Value::Object(serde_json::Map::new()))));
        }
        Ok((news, Some(self.read(&reply)?)))
    }

    async fn ask_resource(
        &self,
        url: &Url,
        asked: &mut Option<Duration>,
    ) -> Result<(News, Option<Value>), OperationError> {
        let reply = self.reply(url, asked).await?;
        let body = self.read(&reply)?;
        let status = state(&body).unwrap_or("Succeeded").to_owned();
        let over = self.ended(&status, body.pointer("/properties/provisioningError"))?;
        Ok((
            News {
                status,
                percent: None,
            },
            over.then_some(body),
        ))
    }

    /// Whether a status is the end; an error if it is a bad one.
    fn ended(&self, status: &str, error: Option<&Value>) -> Result<bool, OperationError> {
        let object = || self.object.clone();
        let text = |name: &str| {
            let text = error
                .and_then(|error| error.get(name))
                .and_then(Value::as_str);
            text.unwrap_or("not told why").to_owned()
        };
        match status {
            "Succeeded" => Ok(true),
            "Failed" => Err(OperationError::Failed {
                object: object(),
                code: text("code"),
                message: text("message"),
            }),
            "Canceled" | "Cancelled" => Err(OperationError::Canceled { object: object() }),
            _ => Ok(false),
        }
    }
}

/// The `provisioningState` of a resource.
fn state(resource: &Value) -> Option<&str> {
    resource
        .pointer("/properties/provisioningState")
        .and_then(Value::as_str)
}

fn runs(state: &str) -> bool {
    !matches!(state, "Succeeded" | "Failed" | "Canceled" | "Cancelled")
}

/// A share of a hundred as a whole number.
fn percent(share: f64) -> Option<u8> {
    (0_u8..=100).rev().find(|whole| f64::from(*whole) <= share)
}
