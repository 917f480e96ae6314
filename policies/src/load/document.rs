//! The text of one layer, as serde sees it.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use toml::de::DeTable;

use crate::check::Check;
use crate::control::{Control, ControlId, Phase, Reference, Severity};
use crate::load::MOST_BYTES;
use crate::load::error::Problem;
use crate::load::hint;
use crate::names::PlainName;
use crate::policy::{Channels, Egress, Metadata, Mount, Researchers};
use crate::verdict::Grade;
use crate::waiver::Waiver;

/// A policy, a shipped baseline or a fragment of a policy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Policy")]
pub(super) struct Document {
    /// Version of this format: 1.
    #[schemars(extend("const" = 1))]
    #[expect(
        dead_code,
        reason = "read before everything else, and known to be 1 by now"
    )]
    pub(super) schema: u32,
    /// Name of the policy; a fragment has none.
    #[schemars(with = "Option<PlainName>")]
    pub(super) name: Option<Spanned<PlainName>>,
    /// Policies that this one adds to, such as `baseline/cis-l1`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) extends: Vec<Spanned<String>>,
    /// Whom the machine keeps in.
    pub(super) researchers: Option<Researchers>,
    /// Where the machine may send packets.
    pub(super) egress: Option<Egress>,
    /// Who may ask the instance metadata service.
    pub(super) metadata: Option<Metadata>,
    /// What may cross the remote desktop.
    pub(super) channels: Option<Channels>,
    /// The secure storage that the machine mounts.
    #[serde(default, rename = "mount")]
    #[schemars(with = "Vec<Mount>")]
    pub(super) mounts: Vec<Spanned<Mount>>,
    /// What must hold.
    #[serde(default, rename = "control")]
    #[schemars(with = "Vec<Demand>")]
    pub(super) controls: Vec<Spanned<Demand>>,
    /// Exceptions that somebody answers for, until a day.
    #[serde(default, rename = "waiver")]
    #[schemars(with = "Vec<Waiver>")]
    pub(super) waivers: Vec<Spanned<Waiver>>,
}

/// A control as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Control")]
pub(super) struct Demand {
    /// Area and number, such as `SSH-003`; never used for another demand again.
    id: ControlId,
    /// The demand as one short sentence.
    title: String,
    /// How bad it is when it does not hold.
    severity: Severity,
    /// Why it matters, for people.
    rationale: String,
    /// Requirements of standards that it serves.
    #[serde(default)]
    references: Vec<Reference>,
    /// From when on it must hold.
    #[serde(default)]
    phase: Phase,
    /// How strongly it binds.
    #[serde(default)]
    grade: Grade,
    /// What is looked at.
    check: Check,
    /// Whether it replaces the control of the same id in an earlier layer.
    #[serde(default, rename = "override")]
    overrides: bool,
}

impl Demand {
    /// The control, and whether it replaces an earlier one.
    pub(super) fn split(self) -> (Control, bool) {
        let control = Control {
            id: self.id,
            title: self.title,
            severity: self.severity,
            rationale: self.rationale,
            references: self.references,
            phase: self.phase,
            grade: self.grade,
            check: self.check,
        };
        (control, self.overrides)
    }
}

/// What is wrong with a layer's text, and where.
pub(super) struct Mistake {
    pub(super) span: Option<Range<usize>>,
    pub(super) problem: Problem,
    pub(super) hint: Option<String>,
}

impl Document {
    /// Reads a layer's text. An unknown `schema` is told before anything else: whatever else looks wrong
    /// is right in a format that this program does not know.
    pub(super) fn parse(text: &str) -> Result<Self, Mistake> {
        if text.len() > MOST_BYTES {
            return Err(Mistake {
                span: None,
                problem: Problem::TooLarge { bytes: text.len() },
                hint: None,
            });
        }
        let table = DeTable::parse(text).map_err(|error| Mistake {
            span: error.span(),
            problem: Problem::Syntax {
                message: error.message().to_owned(),
            },
            hint: None,
        })?;
        schema_is_known(table.get_ref())?;
        Self::deserialize(toml::Deserializer::from(table)).map_err(|error| Mistake {
            span: error.span(),
            problem: Problem::Key {
                message: error.message().to_owned(),
            },
            hint: hint::for_message(error.message()),
        })
    }
}

fn schema_is_known(table: &DeTable<'_>) -> Result<(), Mistake> {
    let Some(schema) = table.get("schema") else {
        return Err(Mistake {
            span: None,
            problem: Problem::NoSchema,
            hint: Some("write `schema = 1` on the first line".to_owned()),
        });
    };
    let number = schema
        .get_ref()
        .as_integer()
        .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
    if number == Some(1) {
        return Ok(());
    }
    Err(Mistake {
        span: Some(schema.span()),
        problem: Problem::UnknownSchema,
        hint: Some("a newer program may know it; this one knows `schema = 1`".to_owned()),
    })
}
