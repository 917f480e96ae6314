//! The published schemas of ARM's resources, taken strictly: as Azure takes a body.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value, json};

use crate::repository;

/// The schemas in a folder.
#[derive(Clone, Debug)]
pub struct Schemas {
    folder: Option<PathBuf>,
    compiled: Arc<Mutex<HashMap<String, Arc<Validator>>>>,
}

impl Schemas {
    /// The folder that `ARM_SCHEMAS` names, or the one beside the repository.
    ///
    /// Without it nothing is checked, which is announced; in CI that is a failure.
    #[expect(
        clippy::print_stderr,
        reason = "whoever reads the tests must see that bodies were not checked"
    )]
    pub fn find() -> Result<Self> {
        let folder = std::env::var_os("ARM_SCHEMAS").map_or_else(
            || repository::top().join("../shared/schemas"),
            PathBuf::from,
        );
        if folder.is_dir() {
            return Ok(Self {
                folder: Some(folder),
                compiled: Arc::default(),
            });
        }
        let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        ensure!(!ci, "no schemas in {}: set ARM_SCHEMAS", folder.display());
        eprintln!(
            "lab: bodies are NOT checked: no schemas in {} (set ARM_SCHEMAS)",
            folder.display()
        );
        Ok(Self {
            folder: None,
            compiled: Arc::default(),
        })
    }

    /// Checks the body of a PUT. `kind` is the type after the provider, such as `galleries/images`.
    ///
    /// Says what is wrong with it, in one line per mistake.
    pub fn check(
        &self,
        version: &str,
        provider: &str,
        kind: &str,
        name: &str,
        body: &Value,
    ) -> Result<()> {
        if self.folder.is_none() {
            return Ok(());
        }
        let validator = self.validator(version, provider, kind)?;
        let mut whole = body.clone();
        let Value::Object(fields) = &mut whole else {
            bail!("the body is not an object")
        };
        for name in ["id", "systemData"] {
            ensure!(!fields.contains_key(name), "/: `{name}` is read-only");
        }
        // What a template has beside the body.
        fields.insert("apiVersion".into(), json!(version));
        fields.insert("name".into(), json!(name));
        fields.insert("type".into(), json!(format!("{provider}/{kind}")));
        let mut mistakes = Vec::new();
        for mistake in validator.iter_errors(&whole) {
            explain(&mistake, &mut mistakes);
        }
        mistakes.sort_unstable();
        mistakes.dedup();
        ensure!(mistakes.is_empty(), "{}", mistakes.join("\n"));
        Ok(())
    }

    fn validator(&self, version: &str, provider: &str, kind: &str) -> Result<Arc<Validator>> {
        let name = format!("{version}_{provider}.json");
        let key = format!("{name}#{kind}");
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(validator) = compiled.get(&key) {
            return Ok(Arc::clone(validator));
        }
        let path = self.folder.clone().unwrap_or_default().join(&name);
        let text =
            fs::read_to_string(&path).with_context(|| format!("read schema {}", path.display()))?;
        let schema: Value = serde_json::from_str(&text)?;
        let resource = kind.replace('/', "_");
        let root = &schema["resourceDefinitions"][&resource];
        ensure!(root.is_object(), "{name} has no resource `{resource}`");
        let strict = strict_document(root, &schema["definitions"]);
        let validator = jsonschema::draft202012::new(&strict).map_err(ValidationError::to_owned)?;
        let validator = Arc::new(validator);
        compiled.insert(key, Arc::clone(&validator));
        Ok(validator)
    }
}

/// A schema of one resource that takes only what is named somewhere in it.
///
/// The published ones are of draft 4, where `allOf` and closed objects exclude each other; the draft of
/// 2020 has `unevaluatedProperties`, which says what is meant.
fn strict_document(root: &Value, definitions: &Value) -> Value {
    let mut reached = BTreeMap::new();
    let strict_root = closed(&strict(root));
    let mut open = references(&strict_root);
    while let Some(name) = open.pop() {
        if let Entry::Vacant(place) = reached.entry(name) {
            let definition = strict(&definitions[place.key()]);
            open.extend(references(&definition));
            place.insert(definition);
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "definitions": reached,
        "allOf": [strict_root],
    })
}

fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own
                .and_then(|to| to.strip_prefix("#/definitions/"))
                .map(str::to_owned);
            own.into_iter()
                .chain(fields.values().flat_map(references))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn strict(schema: &Value) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let mut strict_fields = Map::new();
    let named = fields
        .get("properties")
        .and_then(Value::as_object)
        .is_some_and(|named| !named.is_empty());
    let composed = ["allOf", "anyOf", "oneOf"]
        .iter()
        .any(|of| fields.contains_key(*of));
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("description" | "title" | "format", _) => {}
            // An object that names its fields, here or in a variant, has no others.
            ("additionalProperties", value) if named || composed => {
                if value.as_object().is_some_and(|schema| !schema.is_empty()) {
                    strict_fields.insert(key.clone(), closed(&strict(value)));
                }
            }
            ("additionalProperties", value) => {
                strict_fields.insert(key.clone(), closed(&strict(value)));
            }
            // Their dialect takes a hyphen after a class for itself.
            ("pattern", Value::String(pattern)) => {
                strict_fields.insert(key.clone(), json!(pattern.replace("\\w-", "\\w\\-")));
            }
            ("properties", Value::Object(properties)) => {
                let properties = properties
                    .iter()
                    .map(|(name, of)| (name.clone(), closed(&strict(of))));
                strict_fields.insert(key.clone(), Value::Object(properties.collect()));
            }
            ("items", items) => {
                strict_fields.insert(key.clone(), closed(&strict(items)));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(choices)) => {
                let choices = choices
                    .iter()
                    .filter(|choice| !is_expression(choice))
                    .map(strict);
                strict_fields.insert(key.clone(), Value::Array(choices.collect()));
            }
            _ => {
                strict_fields.insert(key.clone(), value.clone());
            }
        }
    }
    let free = fields.get("type").is_some_and(|kind| kind == "object")
        && !named
        && !composed
        && !fields.contains_key("additionalProperties");
    if free {
        strict_fields.insert("additionalProperties".into(), json!(true));
    }
    Value::Object(strict_fields)
}

/// The same schema, which takes no field that it does not name.
fn closed(schema: &Value) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let plain = fields
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind != "object");
    if plain || fields.is_empty() {
        return schema.clone();
    }
    json!({ "allOf": [schema], "unevaluatedProperties": false })
}

/// Whether this stands for `[expressions]` of a template, which a body cannot have.
fn is_expression(schema: &Value) -> bool {
    schema["$ref"]
        .as_str()
        .is_some_and(|to| to.ends_with("common/definitions.json#/definitions/expression"))
}

/// One line for a mistake; for one of several variants, those of the variant that fits best.
fn explain(mistake: &ValidationError<'_>, lines: &mut Vec<String>) {
    let at = mistake.instance_path().to_string();
    let at = if at.is_empty() { "/" } else { &at };
    match mistake.kind() {
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            let wrong_kind = |mistakes: &[ValidationError<'_>]| {
                mistakes
                    .iter()
                    .any(|mistake| mistake.instance_path().to_string().ends_with("/type"))
            };
            let best = context
                .iter()
                .min_by_key(|mistakes| (wrong_kind(mistakes), mistakes.len()));
            match best {
                Some(mistakes) => mistakes.iter().for_each(|mistake| explain(mistake, lines)),
                None => lines.push(format!("{at}: {mistake}")),
            }
        }
        _ => lines.push(format!("{at}: {mistake}")),
    }
}
