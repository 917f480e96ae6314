//! The policy that applies, and where its controls come from.

use std::path::Path;

use policies::check::Check;
use policies::control::Control;
use policies::digest::Digest;
use policies::policy::Policy;
use serde::Serialize;

use crate::output::{DIM, STRONG, harmless, line, severity, styled};
use crate::settings::{Layer, Loaded};

/// A policy, and the files that it was made from.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'l> {
    digest: Digest,
    layers: Vec<&'l Path>,
    policy: &'l Policy,
    /// The file that each control comes from, in the order of the controls.
    sources: Vec<Option<&'l Path>>,
}

impl<'l> Told<'l> {
    /// Finds out where each control of a policy comes from.
    pub(crate) fn new(loaded: &'l Loaded) -> Self {
        let layers: Vec<_> = loaded.layers.iter().map(Contents::of).collect();
        let source = |control: &Control| {
            // A later layer has the last word.
            layers
                .iter()
                .rev()
                .find(|contents| contents.makes(control))
                .map(|contents| contents.path)
        };
        Self {
            digest: loaded.policy.digest(),
            layers: loaded
                .layers
                .iter()
                .map(|layer| layer.path.as_path())
                .collect(),
            policy: &loaded.policy,
            sources: loaded.policy.controls.iter().map(source).collect(),
        }
    }

    /// The policy in one line.
    pub(crate) fn summary(&self) -> String {
        let policy = self.policy;
        format!(
            "policy {} is valid: {} controls, {} waivers, digest {}\n",
            harmless(&policy.name),
            policy.controls.len(),
            policy.waivers.len(),
            self.digest,
        )
    }

    /// The policy as a table.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let policy = self.policy;
        line(
            &mut text,
            &styled(
                STRONG,
                format!("{} {}", harmless(&policy.name), self.digest.short()),
            ),
        );
        for layer in &self.layers {
            line(&mut text, &format!("  from {}", layer.display()));
        }
        text.push('\n');
        let width = policy
            .controls
            .iter()
            .map(|control| control.id.as_str().len())
            .max()
            .unwrap_or(0);
        for (control, source) in policy.controls.iter().zip(&self.sources) {
            let id = control.id.as_str();
            let title = harmless(&control.title);
            let source = source
                .and_then(Path::file_name)
                .unwrap_or_default()
                .to_string_lossy();
            let grave = severity(control.severity);
            line(
                &mut text,
                &format!(
                    "{id:<width$}  {grave:<8}  {title}  {}",
                    styled(DIM, harmless(&source))
                ),
            );
        }
        for waiver in &policy.waivers {
            let reason = harmless(&waiver.reason);
            let told = format!(
                "waived: {} until {} by {}: {reason}",
                waiver.control,
                waiver.expires,
                harmless(&waiver.approver)
            );
            line(&mut text, &told);
        }
        text
    }
}

/// What one layer has to say.
struct Contents<'l> {
    path: &'l Path,
    table: toml::Table,
}

impl<'l> Contents<'l> {
    fn of(layer: &'l Layer) -> Self {
        // It was loaded before, so it is a table; an empty one would only lose the source.
        Self {
            path: &layer.path,
            table: layer.text.parse().unwrap_or_default(),
        }
    }

    fn makes(&self, control: &Control) -> bool {
        let section = match (control.id.area(), &control.check) {
            ("CHAN", _) => "channels",
            ("EGRESS", _) => "egress",
            ("META", _) => "metadata",
            ("MOUNT", _) | (_, Check::Mount(_)) => "mount",
            _ => return self.has_control(control.id.as_str()),
        };
        self.table.contains_key(section)
    }

    fn has_control(&self, id: &str) -> bool {
        let controls = self.table.get("control").and_then(toml::Value::as_array);
        let named =
            |control: &toml::Value| control.get("id").and_then(toml::Value::as_str) == Some(id);
        controls.is_some_and(|controls| controls.iter().any(named))
    }
}
