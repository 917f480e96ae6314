//! Layers put on top of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::control::{Control, ControlId};
use crate::expand;
use crate::load::document::Document;
use crate::load::error::{Error, Place, Problem};
use crate::load::hint;
use crate::policy::{Channels, Egress, Metadata, Mount, Researchers};
use crate::waiver::Waiver;

/// Layers that a layer names.
mod extend;
/// All layers looked at together, and made into a policy.
mod settle;

/// How many controls a policy may have: more than anybody can answer for, and few enough to compare each
/// with each other.
const MOST_CONTROLS: usize = 4096;

/// What the layers so far say.
pub(super) struct Layers<'r> {
    resolve: &'r dyn Fn(&str) -> Result<String, String>,
    /// Texts of all layers, so that a place is worked out only for the mistake that is told.
    texts: Vec<Text>,
    /// Layers that are under way, from the policy inwards.
    chain: Vec<String>,
    /// Layers that have been put; a layer that two others extend counts once.
    put: BTreeSet<String>,
    name: Option<String>,
    researchers: Researchers,
    egress: Option<Egress>,
    metadata: Option<Metadata>,
    channels: Option<Channels>,
    mounts: Vec<(Mount, Origin)>,
    controls: BTreeMap<ControlId, (Control, Origin)>,
    waivers: BTreeMap<ControlId, (Waiver, Origin)>,
}

struct Text {
    file: String,
    content: String,
    /// Which layer it is, counted from the lowest; known once what it extends has been put.
    rank: usize,
}

/// Where something was written.
#[derive(Clone)]
struct Origin {
    text: usize,
    span: Option<Range<usize>>,
}

/// What a layer is to the policy.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Role {
    Extended,
    Fragment,
    Policy,
}

impl<'r> Layers<'r> {
    pub(super) fn new(resolve: &'r dyn Fn(&str) -> Result<String, String>) -> Self {
        Self {
            resolve,
            texts: Vec::new(),
            chain: Vec::new(),
            put: BTreeSet::new(),
            name: None,
            researchers: Researchers::default(),
            egress: None,
            metadata: None,
            channels: None,
            mounts: Vec::new(),
            controls: BTreeMap::new(),
            waivers: BTreeMap::new(),
        }
    }

    /// Puts the policy itself, after everything that it extends.
    pub(super) fn put_policy(&mut self, file: &str, text: &str) -> Result<(), Error> {
        self.put(file, text.to_owned(), Role::Policy)
    }

    /// Puts a fragment on top.
    pub(super) fn put_fragment(&mut self, file: &str, text: &str) -> Result<(), Error> {
        self.put(file, text.to_owned(), Role::Fragment)
    }

    fn put(&mut self, file: &str, text: String, role: Role) -> Result<(), Error> {
        let parsed = Document::parse(&text);
        let whole = Origin {
            text: self.texts.len(),
            span: None,
        };
        self.texts.push(Text {
            file: file.to_owned(),
            content: text,
            rank: 0,
        });
        let document = parsed.map_err(|mistake| {
            let origin = whole.at(mistake.span);
            self.error(&origin, mistake.problem, mistake.hint)
        })?;
        self.put_name(&document, role, &whole)?;
        for layer in &document.extends {
            self.extend(layer.get_ref(), &whole.at(Some(layer.span())))?;
        }
        let ranked = self.texts.len() + self.put.len();
        if let Some(text) = self.texts.get_mut(whole.text) {
            text.rank = ranked;
        }
        self.put_sections(&document, &whole)?;
        for mount in document.mounts {
            let origin = whole.at(Some(mount.span()));
            self.put_mount(mount.into_inner(), origin)?;
        }
        for demand in document.controls {
            let origin = whole.at(Some(demand.span()));
            let (control, overrides) = demand.into_inner().split();
            self.put_control(control, overrides, origin)?;
        }
        for waiver in document.waivers {
            let origin = whole.at(Some(waiver.span()));
            self.put_waiver(waiver.into_inner(), origin)?;
        }
        Ok(())
    }

    fn put_name(&mut self, document: &Document, role: Role, whole: &Origin) -> Result<(), Error> {
        match (&document.name, role) {
            (Some(name), Role::Fragment) => {
                Err(self.error(&whole.at(Some(name.span())), Problem::FragmentName, None))
            }
            (Some(name), Role::Policy) => {
                self.name = Some(name.get_ref().to_string());
                Ok(())
            }
            (None, Role::Policy | Role::Extended) => Err(self.error(whole, Problem::NoName, None)),
            (Some(_), Role::Extended) | (None, Role::Fragment) => Ok(()),
        }
    }

    fn put_sections(&mut self, document: &Document, whole: &Origin) -> Result<(), Error> {
        let names = document.egress.iter().flat_map(|egress| &egress.allow);
        for destination in names {
            self.says_something("name", &destination.name, whole)?;
        }
        if let Some(researchers) = &document.researchers {
            self.researchers = researchers.clone();
        }
        if let Some(egress) = &document.egress {
            self.egress = Some(egress.clone());
        }
        if let Some(metadata) = &document.metadata {
            self.metadata = Some(metadata.clone());
        }
        if let Some(channels) = document.channels {
            self.channels = Some(channels);
        }
        Ok(())
    }

    fn put_mount(&mut self, mount: Mount, origin: Origin) -> Result<(), Error> {
        let shared = self.mounts.iter().find_map(|(other, _)| {
            let what = if other.name == mount.name {
                "name"
            } else if other.path == mount.path {
                "path"
            } else {
                return None;
            };
            (other != &mount).then(|| Problem::MountTwice {
                first: other.name.to_string(),
                second: mount.name.to_string(),
                what,
            })
        });
        if let Some(problem) = shared {
            return Err(self.error(&origin, problem, None));
        }
        if !self.mounts.iter().any(|(other, _)| other == &mount) {
            self.mounts.push((mount, origin));
        }
        Ok(())
    }

    fn put_control(
        &mut self,
        control: Control,
        overrides: bool,
        origin: Origin,
    ) -> Result<(), Error> {
        self.says_something("title", &control.title, &origin)?;
        self.says_something("rationale", &control.rationale, &origin)?;
        if let Some(section) = expand::section_of(control.id.area()) {
            let id = control.id;
            return Err(self.error(&origin, Problem::Reserved { id, section }, None));
        }
        match self.controls.get(&control.id) {
            None if overrides => {
                let known = self.controls.keys().map(ControlId::as_str);
                let hint = hint::nearest(control.id.as_str(), known)
                    .map(|meant| format!("did you mean `{meant}`?"));
                return Err(self.error(
                    &origin,
                    Problem::OverridesNothing { id: control.id },
                    hint,
                ));
            }
            Some((other, first)) if !overrides && other != &control => {
                let problem = Problem::Twice {
                    id: control.id,
                    other: self.file(first).to_owned(),
                };
                let hint = "to replace it, write `override = true` into the later one".to_owned();
                return Err(self.error(&origin, problem, Some(hint)));
            }
            None | Some(_) => {}
        }
        if self.controls.len() >= MOST_CONTROLS {
            return Err(self.error(
                &origin,
                Problem::TooMany {
                    most: MOST_CONTROLS,
                },
                None,
            ));
        }
        self.controls.insert(control.id.clone(), (control, origin));
        Ok(())
    }

    fn put_waiver(&mut self, waiver: Waiver, origin: Origin) -> Result<(), Error> {
        self.says_something("reason", &waiver.reason, &origin)?;
        self.says_something("approver", &waiver.approver, &origin)?;
        if let Some((other, first)) = self.waivers.get(&waiver.control)
            && other != &waiver
        {
            let problem = Problem::WaivedTwice {
                id: waiver.control,
                other: self.file(first).to_owned(),
            };
            return Err(self.error(&origin, problem, None));
        }
        self.waivers
            .insert(waiver.control.clone(), (waiver, origin));
        Ok(())
    }

    fn says_something(&self, key: &'static str, text: &str, origin: &Origin) -> Result<(), Error> {
        let is_odd = |c: char| c.is_control() && c != '\n';
        if text.trim().is_empty() || text.chars().any(is_odd) {
            return Err(self.error(origin, Problem::Blank { key }, None));
        }
        Ok(())
    }

    fn file(&self, origin: &Origin) -> &str {
        self.texts.get(origin.text).map_or("", |text| &text.file)
    }

    fn error(&self, origin: &Origin, problem: Problem, hint: Option<String>) -> Error {
        let text = self.texts.get(origin.text).map_or("", |text| &text.content);
        let place = origin.span.as_ref().map(|span| Place::of(text, span));
        Error::new(self.file(origin), place, problem, hint)
    }
}

impl Origin {
    /// A span of the same text.
    fn at(&self, span: Option<Range<usize>>) -> Self {
        Self {
            text: self.text,
            span,
        }
    }
}
