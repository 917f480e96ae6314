//! What was meant by a word that nobody knows.

use serde_json::Value;

use crate::load;

/// The hint for what serde says about an unknown word.
///
/// serde names the word first and then the words that it knows, each in backticks; that wording is a
/// contract of `serde::de::Error::unknown_field` and `unknown_variant`. Where parts of a table are read
/// by different types, it names no known words; then every key of a policy is one.
pub(super) fn for_message(message: &str) -> Option<String> {
    let is_field = message.starts_with("unknown field");
    if !is_field && !message.starts_with("unknown variant") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let written = words.next()?;
    let known: Vec<&str> = words.collect();
    let meant = if known.is_empty() && is_field {
        let schema = load::schema();
        let mut keys = Vec::new();
        collect_keys(schema.as_value(), &mut keys);
        nearest(written, keys).map(ToOwned::to_owned)
    } else {
        nearest(written, known).map(ToOwned::to_owned)
    };
    meant.map(|meant| format!("did you mean `{meant}`?"))
}

/// Every key that a schema speaks of.
fn collect_keys<'s>(schema: &'s Value, keys: &mut Vec<&'s str>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("properties", Value::Object(properties)) = (name.as_str(), value) {
                    keys.extend(properties.keys().map(String::as_str));
                }
                collect_keys(value, keys);
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
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
