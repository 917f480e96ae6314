//! Keeps one research VM in line with its policy.
