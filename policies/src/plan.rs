//! Changes that would make a control hold.
