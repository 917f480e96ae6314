//! Engines: what makes an image out of a plan.

pub mod base;
pub mod packer;
