//! Flat files: one `KEY value` or `KEY = value` on a line.

use policies::check::seen::{Located, Seen};
use policies::check::setting::{Setting, SettingFacts};

use super::seen;
use crate::host::Inspect;

pub(super) fn facts(check: &Setting, host: &impl Inspect) -> SettingFacts {
    let path = check.path.as_str();
    let text = seen(host.text(path));
    let exists = !matches!(text, Seen::Absent);
    let configured = match text {
        Seen::Found(text) => {
            // Of lines with the same key the last one wins, as in login.defs(5).
            let last = assignments(&text, check.key.as_str()).last();
            let located = last.map(|(line, value)| Located::new(value, format!("{path}:{line}")));
            seen(Ok(located))
        }
        other => other.map(|_| Located::new("", "")),
    };
    SettingFacts { exists, configured }
}

/// The lines that set a key, numbered from 1, each with its value.
pub fn assignments<'a>(
    text: &'a str,
    key: &'a str,
) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
    text.lines().enumerate().filter_map(move |(index, line)| {
        let rest = line.trim().strip_prefix(key)?;
        let value = rest.trim_start();
        let value = value.strip_prefix('=').unwrap_or(value);
        // Without a blank or a sign behind it the key goes on: it is another one.
        let is_whole = rest.is_empty() || rest.starts_with(|c: char| c == '=' || c.is_whitespace());
        is_whole.then(|| (index + 1, value.trim().trim_matches('"')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_the_whole_word() {
        let text = "# UMASK 022\nUMASK\t027\nUMASKS 1\nminlen = 14\nEMPTY\nQ=\"a b\"\n";
        let last = |key| assignments(text, key).last();
        assert_eq!(last("UMASK"), Some((2, "027")));
        assert_eq!(last("minlen"), Some((4, "14")));
        assert_eq!(last("EMPTY"), Some((5, "")));
        assert_eq!(last("Q"), Some((6, "a b")));
        assert_eq!(last("MASK"), None);
    }
}
