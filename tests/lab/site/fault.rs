//! What can be made to go wrong.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Frame};
use hyper::header::CONTENT_LENGTH;

use super::message::{self, Answer, Call};

/// Something that goes wrong: what, with which requests, and for how long.
///
/// Until [`super::Site::heal`], unless told otherwise.
#[derive(Clone, Debug)]
pub struct Fault {
    failure: Failure,
    with: String,
    skip: u32,
    left: Option<u32>,
    until: Option<Instant>,
}

#[derive(Clone, Debug)]
pub(super) enum Failure {
    Cut {
        after: usize,
    },
    Drop,
    Garbage {
        status: u16,
        body: Bytes,
    },
    Hang,
    Late {
        by: Duration,
    },
    Lost {
        status: Option<u16>,
    },
    Status {
        status: u16,
        code: String,
        retry_after: Option<String>,
    },
}

impl Fault {
    const fn new(failure: Failure) -> Self {
        Self {
            failure,
            with: String::new(),
            skip: 0,
            left: None,
            until: None,
        }
    }

    /// Answers with this status and an error of this code.
    pub fn status(status: u16, code: &str) -> Self {
        Self::new(Failure::Status {
            status,
            code: code.to_owned(),
            retry_after: None,
        })
    }

    /// Answers with this status and a body that is not what the client expects.
    pub fn garbage(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(Failure::Garbage {
            status,
            body: body.into(),
        })
    }

    /// Promises a long body and breaks off after so many bytes.
    pub const fn cut(after: usize) -> Self {
        Self::new(Failure::Cut { after })
    }

    /// Closes the connection instead of answering.
    pub const fn hang_up() -> Self {
        Self::new(Failure::Drop)
    }

    /// Never answers.
    pub const fn hang() -> Self {
        Self::new(Failure::Hang)
    }

    /// Answers rightly, but late.
    pub const fn late(by: Duration) -> Self {
        Self::new(Failure::Late { by })
    }

    /// Does what was asked, then answers with this status of a gateway; with none, hangs up.
    pub const fn lost(status: Option<u16>) -> Self {
        Self::new(Failure::Lost { status })
    }

    /// Adds `Retry-After` to the status.
    #[must_use]
    pub fn retry_after(mut self, value: &str) -> Self {
        if let Failure::Status { retry_after, .. } = &mut self.failure {
            *retry_after = Some(value.to_owned());
        }
        self
    }

    /// Only with requests whose line (`PUT /path?query`) contains this.
    #[must_use]
    pub fn with(mut self, part: &str) -> Self {
        part.clone_into(&mut self.with);
        self
    }

    /// Lets so many fitting requests pass first.
    #[must_use]
    pub const fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Only so many times.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.left = Some(times);
        self
    }

    /// Only for so long from now.
    #[must_use]
    pub fn lasting(mut self, time: Duration) -> Self {
        self.until = Instant::now().checked_add(time);
        self
    }

    /// The failure that the oldest fitting fault demands for a request.
    pub(super) fn of(faults: &mut Vec<Self>, line: &str) -> Option<Failure> {
        let now = Instant::now();
        faults.retain(|fault| fault.left != Some(0) && fault.until.is_none_or(|until| now < until));
        let fault = faults.iter_mut().find(|fault| line.contains(&fault.with))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        if let Some(left) = &mut fault.left {
            *left -= 1;
        }
        Some(fault.failure.clone())
    }
}

impl Failure {
    /// What happens instead of the right answer.
    pub(super) async fn play(self, mut call: Call) -> Result<Answer, Broken> {
        match self {
            Self::Drop => Err(Broken),
            Self::Hang | Self::Late { .. } | Self::Lost { .. } => std::future::pending().await,
            Self::Cut { after } => Ok(cut(after)),
            Self::Garbage { status, body } => Ok(message::raw(status, body)),
            Self::Status {
                status,
                code,
                retry_after,
            } => {
                // As Azure does, the request is read before it is refused.
                drop(call.body().await);
                let storage = call.host().contains(".blob.");
                let error = if storage {
                    message::storage_error
                } else {
                    message::error
                };
                let answer = error(status, &code, "made to fail");
                Ok(match retry_after {
                    Some(value) => message::with(answer, "retry-after", &value),
                    None => answer,
                })
            }
        }
    }
}

/// The connection is closed without an answer.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on demand")
    }
}

impl std::error::Error for Broken {}

fn cut(after: usize) -> Answer {
    let mut answer = Response::new(Cut { rest: Some(after) }.boxed_unsync());
    answer
        .headers_mut()
        .insert(CONTENT_LENGTH, (after + 1000).into());
    answer
}

/// A body that breaks off.
struct Cut {
    rest: Option<usize>,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(match self.rest.take() {
            Some(after) => Ok(Frame::data(Bytes::from(vec![b'x'; after]))),
            None => Err(Box::new(Broken)),
        }))
    }
}
