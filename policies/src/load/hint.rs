//! What was meant by a word that nobody knows.

/// The hint for what serde says about an unknown word.
///
/// serde names the word first and then every word that it knows, each in backticks; that wording is a
/// contract of `serde::de::Error::unknown_field` and `unknown_variant`.
pub(super) fn for_message(message: &str) -> Option<String> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let written = words.next()?;
    nearest(written, words).map(|meant| format!("did you mean `{meant}`?"))
}

/// The word that is nearest to what was written, if one is near.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // One slip in three letters: more would guess at words that share only their length.
    let most = written.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|word| (strsim::osa_distance(written, word), word))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_understood() {
        assert_eq!(
            nearest("sevrity", ["id", "severity", "title"]),
            Some("severity")
        );
        assert_eq!(nearest("tilte", ["id", "severity", "title"]), Some("title"));
        assert_eq!(nearest("colour", ["id", "severity", "title"]), None);
    }

    #[test]
    fn serde_names_the_word_first_and_the_known_ones_after_it() {
        let message = "unknown field `sevrity`, expected one of `id`, `severity`, `title`";
        assert_eq!(
            for_message(message).as_deref(),
            Some("did you mean `severity`?")
        );
        assert_eq!(
            for_message("invalid type: integer `3`, expected a string"),
            None
        );
    }
}
