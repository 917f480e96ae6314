//! A value's one way of being written, for digests.

use serde::Serialize;
use serde_json::Value;

/// A value as JSON with sorted keys and without spaces (RFC 8785 for values without fractions).
///
/// Sorted here and not left to `serde_json`'s map, whose order changes when any crate of the build asks
/// for its feature `preserve_order`.
#[expect(
    clippy::expect_used,
    reason = "policies hold no map with keys other than text, the one thing that JSON cannot say"
)]
pub(super) fn json(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("a policy can be written as JSON");
    let mut text = String::new();
    write(&value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            // RFC 8785 sorts by UTF-16 units; the keys here are ASCII, where that is the same.
            fields.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value: Value =
            serde_json::from_str(r#"{"b":[{"d":1,"c":"\u000a\"é"}],"a":null,"B":true}"#).unwrap();
        assert_eq!(
            json(&value),
            r#"{"B":true,"a":null,"b":[{"c":"\n\"é","d":1}]}"#
        );
    }
}
