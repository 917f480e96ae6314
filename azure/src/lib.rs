//! The only door to Azure.
//!
//! Whatever sends a request to Azure or holds a credential belongs here and nowhere else, so that it is
//! audited once. So far the crate knows where the clouds are; it sends nothing.

/// The clouds, and where their services stand.
pub mod cloud;
