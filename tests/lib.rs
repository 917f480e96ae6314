//! The lab, and what no single crate can prove.
