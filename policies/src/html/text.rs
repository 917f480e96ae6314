//! Texts of a machine, made fit to be shown.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// A text with what nobody can see, or what turns the direction of writing, spelled out.
///
/// A machine that has been taken over chooses what is found on it; it must not choose what a reader takes
/// for the report's own words.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if turns || (c.is_control() && c != '\n') {
            // Writing to a text cannot fail.
            let _infallible = write!(shown, "{}", c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// A moment, for people and for machines.
pub(super) fn instant(time: Timestamp) -> Markup {
    let seconds = time
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S UTC");
    html! { time datetime=(time) { (seconds.to_string()) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        assert_eq!(shown("a\u{202e}b\u{1b}[0m\nc"), "a\\u{202e}b\\u{1b}[0m\nc");
        assert_eq!(shown("é ✓"), "é ✓");
    }
}
