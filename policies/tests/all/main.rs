//! What the crate promises to those who use it.

mod baseline;
mod blessed;
mod digest;
mod docs;
mod load;
mod schema;
mod shipped;
