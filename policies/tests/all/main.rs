//! What the crate promises to those who use it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod baseline;
mod blessed;
mod digest;
mod docs;
mod load;
mod schema;
mod shipped;
