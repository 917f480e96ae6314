//! The time of day.

use time::OffsetDateTime;

/// Now.
pub(crate) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}
