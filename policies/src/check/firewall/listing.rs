//! What the packet filter lists, without what differs between loads and between versions of `nft`.

use serde_json::{Map, Value, json};

/// Reads what `nft --json --numeric list table` said.
pub(super) fn parse(text: &str) -> Result<Vec<Value>, String> {
    let mut document: Value =
        serde_json::from_str(text).map_err(|error| format!("nft's answer is not JSON: {error}"))?;
    let Some(Value::Array(items)) = document.get_mut("nftables").map(Value::take) else {
        return Err("nft's answer has no list `nftables`".to_owned());
    };
    let mut tables = Vec::new();
    let mut chains = Vec::new();
    let mut rest = Vec::new();
    for mut item in items {
        if item.get("metainfo").is_some() {
            continue;
        }
        normalise(&mut item);
        if item.get("table").is_some() {
            tables.push(item);
        } else if item.get("chain").is_some() {
            chains.push(item);
        } else {
            rest.push(item);
        }
    }
    // Versions differ in whether rules follow their chain or all chains.
    tables.append(&mut chains);
    tables.append(&mut rest);
    Ok(tables)
}

fn normalise(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(fields) => {
            fields.remove("handle");
            for (key, field) in fields.iter_mut() {
                match key.as_str() {
                    "counter" => *field = Value::Null,
                    "limit" => limit(field),
                    "match" => matching(field),
                    "reject" => reject(field),
                    _ => normalise(field),
                }
            }
        }
        _ => {}
    }
}

/// The burst is listed by some versions only; it is the default one.
fn limit(field: &mut Value) {
    if let Some(fields) = field.as_object_mut() {
        let is_default = fields.get("burst").is_none_or(|burst| *burst == json!(5));
        if is_default {
            fields.remove("burst");
        }
    }
}

/// `in` and `==` are the same for a single state; states and families have names and numbers.
fn matching(field: &mut Value) {
    let Some(fields) = field.as_object_mut() else {
        return;
    };
    let key = |kind: &str, fields: &Map<String, Value>| {
        let key = fields.get("left")?.get(kind)?.get("key")?.as_str()?;
        Some(key.to_owned())
    };
    let names: &[(u64, &str)] = match (key("ct", fields), key("meta", fields)) {
        (Some(key), _) if key == "state" => {
            if fields.get("op") == Some(&json!("in")) {
                fields.insert("op".to_owned(), json!("=="));
            }
            &[(2, "established"), (4, "related")]
        }
        (_, Some(key)) if key == "nfproto" => &[(2, "ipv4"), (10, "ipv6")],
        _ => &[],
    };
    if let Some(right) = fields.get_mut("right") {
        name(right, names);
        let field = fields
            .get("left")
            .and_then(|left| left.pointer("/payload/field"));
        if field == Some(&json!("type")) {
            number(fields);
        }
    }
}

/// Puts a name in place of a number, also when it stands alone in a list.
fn name(right: &mut Value, names: &[(u64, &str)]) {
    if let Value::Array(items) = right
        && let [item] = items.as_mut_slice()
        && !names.is_empty()
    {
        *right = item.take();
    }
    let known = names
        .iter()
        .find(|(number, _)| right.as_u64() == Some(*number));
    if let Some((_, name)) = known {
        *right = json!(name);
    }
}

/// Puts a number in place of the name of a type of `icmpv6` message.
fn number(fields: &mut Map<String, Value>) {
    const TYPES: [(&str, u8); 4] = [
        ("nd-router-solicit", 133),
        ("nd-neighbor-solicit", 135),
        ("nd-neighbor-advert", 136),
        ("mld2-listener-report", 143),
    ];
    let name = fields.get("right").and_then(Value::as_str);
    let known = TYPES.iter().find(|(known, _)| name == Some(known));
    if let Some((_, number)) = known {
        fields.insert("right".to_owned(), json!(number));
    }
}

/// Number 3 of `icmpx` is `admin-prohibited` (`linux/netfilter/nf_tables.h`).
fn reject(field: &mut Value) {
    if let Some(expr) = field.get_mut("expr")
        && *expr == json!(3)
    {
        *expr = json!("admin-prohibited");
    }
}
