//! What must hold on a research VM.
//!
//! ```text
//! policy (TOML) ─▶ controls ─▶ facts ─▶ judgements ─▶ plan ─▶ report
//!    load           expand     (agent)    judge      remedy
//! ```
//! A [`Policy`](policy::Policy) is a list of [`Control`](control::Control)s; each has one
//! [`Check`](check::Check) from a closed list. This crate reads no file, no clock and no network and runs
//! no program: it turns text into controls, facts into judgements, and judgements into plans.

/// The kinds of things that a policy can demand, one file each.
pub mod check;
/// Demands that cannot both hold.
mod contradiction;
/// One demand: its name, its reason, and what is checked.
pub mod control;
/// Hexadecimal SHA-256 digests.
pub mod digest;
/// Sections, written for people, turned into controls.
mod expand;
/// The report as a page for people.
pub mod html;
/// From text to a policy.
pub mod load;
/// The list of staged binaries that a build VM is to install.
pub mod manifest;
/// Words with a grammar: paths, file modes, unit names, …
pub mod names;
/// Words of the network: address ranges and ports.
pub mod network;
/// Changes that would make a control hold.
pub mod plan;
/// A policy: everything that must hold on one kind of machine.
pub mod policy;
/// What was found on one machine at one time.
pub mod report;
/// JSON Schemas of the formats that others read or write.
pub mod schema;
/// What the judgement of a control says.
pub mod verdict;
/// Exceptions that somebody answers for, until a day.
pub mod waiver;
