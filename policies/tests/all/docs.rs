//! The guide to policies, and the list of shipped controls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use policies::control::{Control, Reference, Severity};

use crate::{blessed, shipped};

/// What comes before an example that is only a piece of a policy.
const BEFORE: &str = "schema = 1\nname = \"example\"\n\
    extends = [\"baseline/tre-lockdown\", \"baseline/cis-l1\", \"baseline/image-hygiene\"]\n";

/// The blocks of a kind in a guide.
fn blocks<'a>(guide: &'a str, kind: &str) -> Vec<&'a str> {
    let start = format!("```{kind}\n");
    guide
        .split(start.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn every_example_of_the_guide_loads() {
    let guide = blessed::read("../docs/policy.md");
    let examples = blocks(&guide, "toml");
    assert!(examples.len() >= 20, "{}", examples.len());
    for example in examples {
        let loaded = if example.starts_with("schema") && !example.contains("\nname = ") {
            let fragments = [("example.toml".to_owned(), example.to_owned())];
            policies::load::load("policy.toml", BEFORE, &fragments, &shipped::resolve)
        } else if example.starts_with("schema") {
            shipped::policy(example)
        } else {
            shipped::policy(&format!("{BEFORE}{example}"))
        };
        if let Err(error) = loaded {
            panic!("{example}\n{}", shipped::words(&error));
        }
    }
}

#[test]
fn guide_tells_of_every_key() {
    let guide = blessed::read("../docs/policy.md");
    let (_, schema) = policies::schema::published()
        .into_iter()
        .find(|(name, _)| *name == "policy-1.json")
        .unwrap();
    let mut missing = Vec::new();
    keys(schema.as_value(), &mut |key| {
        let told = [format!("`{key}`"), format!("{key} = "), format!("[{key}]")];
        if !told.iter().any(|words| guide.contains(words)) {
            missing.push(key.to_owned());
        }
    });
    missing.sort();
    missing.dedup();
    assert_eq!(missing, Vec::<String>::new());
}

fn keys(schema: &serde_json::Value, tell: &mut dyn FnMut(&str)) {
    match schema {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                if name == "properties"
                    && let Some(properties) = value.as_object()
                {
                    properties.keys().for_each(|key| tell(key));
                }
                keys(value, tell);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, tell)),
        _ => {}
    }
}

#[test]
fn list_of_controls_is_what_the_baselines_say() {
    let mut text = String::from(
        "# Controls\n\n\
         Made from `policies/baseline/*.toml`; `BLESS=1 cargo test -p policies` writes it anew. What the words\n\
         mean, and how to change a control, is in [policy.md](policy.md).\n\n\
         \"By the agent\" says whether `dsvm-agent enforce` can make the control hold, or only people can.\n",
    );
    for (name, baseline) in shipped::BASELINES {
        let own = format!("schema = 1\nname = \"list\"\nextends = [\"{name}\"]");
        let policy = shipped::policy(&own).unwrap();
        let purpose: Vec<&str> = baseline
            .lines()
            .map_while(|line| line.strip_prefix('#'))
            .map(str::trim)
            .collect();
        let count = policy.controls.len();
        write!(text, "\n## {name} ({count})\n\n{}\n", purpose.join("\n")).unwrap();
        let mut areas: BTreeMap<&str, Vec<&Control>> = BTreeMap::new();
        for control in &policy.controls {
            areas.entry(control.id.area()).or_default().push(control);
        }
        for (area, controls) in areas {
            write!(text, "\n### {area}\n\n").unwrap();
            text.push_str("| Control | What must hold, and why | Severity | What is looked at | By the agent | Standards |\n");
            text.push_str("|---|---|---|---|---|---|\n");
            for control in controls {
                text.push_str(&row(control));
            }
        }
    }
    blessed::compare("../docs/controls.md", &text);
}

fn row(control: &Control) -> String {
    let severity = match control.severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Low => "low",
        Severity::Medium => "medium",
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
    let references: Vec<&str> = control.references.iter().map(Reference::as_str).collect();
    let researchers = ["researchers".parse().unwrap()];
    let by_agent = if control.check.remedy(&researchers).is_empty() {
        "no"
    } else {
        "yes"
    };
    format!(
        "| {} | **{}.** {} | {severity} | {} | {by_agent} | {} |\n",
        control.id,
        cell(&control.title),
        cell(&control.rationale),
        cell(&control.check.subject()),
        references.join(", "),
    )
}
