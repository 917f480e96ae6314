//! The only door to Azure.
//!
//! Whatever sends a request to Azure or holds a credential belongs here and nowhere else, so that it is
//! audited once.
//!
//! ```text
//! Setting ─┐                     ┌─ Container  (blob)
//!          ├─▶ Door ─▶ clients ──┼─ Vault      (secrets, keys)
//! Identity ┘    │                └─ Arm ─ Factory, Gallery · Ingestion
//!               ▼
//!      patience (retry table, deadlines) ─▶ token ─▶ wire (vetted addresses, TLS, limits)
//! ```
//!
//! It never follows a redirect, never uses a proxy that is not in the setting, never sends a token over plain
//! text or to another host than the one it was made for, and never writes a token down. Every request that it
//! can send stands in [`call`], with the role that it needs.
//!
//! Limits: storage accounts are reached through Microsoft Entra ID only (no keys, no shared access
//! signatures); hierarchical namespaces are not treated specially.

/// Azure Resource Manager.
pub mod arm;
/// Blob storage.
pub mod blob;
/// Every request that is ever sent, and the role that it needs.
pub mod call;
mod clock;
/// The clouds, and where their services stand.
pub mod cloud;
/// Identities, and tokens that never make a caller wait without need.
pub mod credential;
/// Data Factory.
pub mod datafactory;
/// The door: clients for all services, of one setting and one identity.
pub mod door;
/// What went wrong, and what it smells of.
pub mod error;
/// Stand-ins for the wire and for identities.
#[cfg(any(test, feature = "test-util"))]
pub mod fake;
/// Compute Gallery.
pub mod gallery;
/// Log ingestion of Azure Monitor.
pub mod ingestion;
/// What the VM is told about itself.
pub mod metadata;
/// Names of Azure.
pub mod names;
/// Which addresses a host may have.
pub mod net;
/// Long-running operations of Azure Resource Manager.
pub mod operation;
mod patience;
/// When a request is repeated.
pub mod retry;
/// Where Azure is, and how it is reached.
pub mod setting;
/// How a request leaves the machine.
pub mod transport;
/// Key Vault.
pub mod vault;
