//! Files with sections.

use policies::check::ini::{Ini, IniFacts};
use policies::check::seen::{Located, Seen};

use super::layers::{self, Text};
use super::seen;
use crate::host::{HostError, Inspect};

/// How the program that reads a file reads it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// One file; sections and keys with their case.
    Plain,
    /// A file and drop-ins beside it, the last value wins; sections and keys with their case.
    Systemd,
    /// One file; case does not matter (`file_read_section` of xrdp).
    Xrdp,
}

impl Dialect {
    /// The dialect of a file.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let is_systemd = path
            .strip_prefix("/etc/systemd/")
            .is_some_and(|name| !name.contains('/') && name.strip_suffix(".conf").is_some());
        if is_systemd {
            Self::Systemd
        } else if path.starts_with("/etc/xrdp/") {
            Self::Xrdp
        } else {
            Self::Plain
        }
    }

    /// Says whether two names are the same.
    #[must_use]
    pub fn same(self, a: &str, b: &str) -> bool {
        match self {
            Self::Plain | Self::Systemd => a == b,
            Self::Xrdp => a.eq_ignore_ascii_case(b),
        }
    }
}

/// A line of a file with sections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line<'a> {
    /// A section begins.
    Section(&'a str),
    /// A key gets a value.
    Assignment {
        /// The key.
        key: &'a str,
        /// The value.
        value: &'a str,
    },
    /// A comment, nothing, or what cannot be read.
    Other,
}

impl<'a> Line<'a> {
    /// Understands a line.
    #[must_use]
    pub fn of(line: &'a str) -> Self {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            return Self::Other;
        }
        if let Some(rest) = line.strip_prefix('[') {
            return rest
                .split_once(']')
                .map_or(Self::Other, |(name, _)| Self::Section(name.trim()));
        }
        line.split_once('=')
            .map_or(Self::Other, |(key, value)| Self::Assignment {
                key: key.trim(),
                value: value.trim(),
            })
    }
}

/// An assignment, and where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Assignment<'a> {
    /// The section; empty before the first one.
    pub section: &'a str,
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: &'a str,
    /// The number of the line, from 1.
    pub line: usize,
}

/// All assignments of a text.
pub fn assignments(text: &str) -> impl Iterator<Item = Assignment<'_>> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(index, line)| {
        match Line::of(line) {
            Line::Section(name) => section = name,
            Line::Assignment { key, value } => {
                return Some(Assignment {
                    section,
                    key,
                    value,
                    line: index + 1,
                });
            }
            Line::Other => {}
        }
        None
    })
}

pub(super) fn facts(check: &Ini, host: &impl Inspect) -> IniFacts {
    let dialect = Dialect::of(check.path.as_str());
    let texts = match seen(files(check.path.as_str(), dialect, host).map(Some)) {
        Seen::Found(texts) => texts,
        other => {
            return IniFacts {
                exists: true,
                configured: other.map(|_| Vec::new()),
                overrides: Vec::new(),
            };
        }
    };
    let mut configured = Vec::new();
    let mut overrides = Vec::new();
    for text in &texts {
        let values = values(text, dialect, check);
        overrides.extend(values.overrides);
        // The last file that has the key wins.
        if !values.configured.is_empty() {
            configured = values.configured;
        }
    }
    IniFacts {
        exists: !texts.is_empty(),
        configured: if configured.is_empty() {
            Seen::Absent
        } else {
            Seen::Found(configured)
        },
        overrides,
    }
}

struct Values {
    configured: Vec<Located>,
    overrides: Vec<Located>,
}

fn values(text: &Text, dialect: Dialect, check: &Ini) -> Values {
    let mut values = Values {
        configured: Vec::new(),
        overrides: Vec::new(),
    };
    for found in assignments(&text.text) {
        let located = || Located::new(found.value, text.at(found.line));
        let is_here = dialect.same(found.section, check.section.as_str());
        let is_override = |key: &policies::check::ini::Key| dialect.same(found.key, key.as_str());
        if is_here && dialect.same(found.key, check.key.as_str()) {
            values.configured.push(located());
        } else if !is_here && check.overridden_by.as_ref().is_some_and(is_override) {
            values.overrides.push(located());
        }
    }
    values
}

/// The files that make up a configuration, in the order in which they are read.
fn files(path: &str, dialect: Dialect, host: &impl Inspect) -> Result<Vec<Text>, HostError> {
    let mut texts = Vec::new();
    let name = path.strip_prefix("/etc/systemd/").unwrap_or(path);
    let mains = match dialect {
        Dialect::Plain | Dialect::Xrdp => vec![path.to_owned()],
        Dialect::Systemd => SYSTEMD.map(|folder| format!("{folder}/{name}")).to_vec(),
    };
    for path in mains {
        if let Some(text) = host.text(&path)? {
            texts.push(Text { path, text });
            break;
        }
    }
    if dialect == Dialect::Systemd {
        let folders = SYSTEMD.map(|folder| format!("{folder}/{name}.d"));
        let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
        texts.extend(layers::read(host, &folders, ".conf")?);
    }
    Ok(texts)
}

/// Where systemd looks for its configuration, the strongest first.
const SYSTEMD: [&str; 4] = [
    "/etc/systemd",
    "/run/systemd",
    "/usr/local/lib/systemd",
    "/usr/lib/systemd",
];
