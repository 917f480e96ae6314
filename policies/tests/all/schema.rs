//! The published JSON Schemas.

use crate::blessed;

#[test]
fn published_schemas_are_what_the_types_say() {
    for (name, schema) in policies::schema::published() {
        let mut text = serde_json::to_string_pretty(&schema).unwrap();
        text.push('\n');
        blessed::compare(&format!("schema/{name}"), &text);
    }
}
