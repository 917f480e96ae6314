//! Owner, group and permission bits of files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ini::is_false;
use super::seen::{Scale, Seen, not_applicable};
use crate::names::{AbsPath, Mode, PlainName};
use crate::plan::Action;
use crate::verdict::{Judgement, Layer};

/// A file, or every file that a pattern names, belongs to whom it should and grants no more than it should.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileMode {
    /// The file or folder; its last part may hold `*`, which stands for any text.
    pub path: AbsPath,
    /// Whom it must belong to; when missing, anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PlainName>,
    /// Which group it must belong to; when missing, any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<PlainName>,
    /// The permission bits that it may have at most.
    pub most: Mode,
    /// Whether a machine without the file is fine. A pattern that matches nothing is always fine.
    #[serde(default, skip_serializing_if = "is_false")]
    pub optional: bool,
}

/// The files that the path names. Symbolic links count for themselves and have no permission bits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileModeFacts {
    /// The files, in the order of their paths.
    pub files: Seen<Vec<FileFacts>>,
}

/// One file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileFacts {
    /// Its path.
    pub path: String,
    /// Its owner's name, or number when it has no name.
    pub owner: String,
    /// Its group's name, or number when it has no name.
    pub group: String,
    /// Its permission bits.
    pub mode: Mode,
    /// Whether it is a symbolic link.
    pub is_link: bool,
}

impl FileMode {
    pub(super) fn subject(&self) -> String {
        format!("owner and mode of {}", self.path)
    }

    /// Says whether the path names more than one file.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.path.as_str().contains('*')
    }

    fn expected(&self) -> String {
        let name =
            |name: &Option<PlainName>| name.as_ref().map_or("any", PlainName::as_str).to_owned();
        let (owner, group) = (name(&self.owner), name(&self.group));
        format!("{} {owner}:{group} at most {}", self.path, self.most)
    }

    /// Judges owner, group and permission bits.
    pub fn judge(&self, facts: &FileModeFacts) -> Judgement {
        let expected = self.expected();
        let absent = || format!("`{}` is not there", self.path);
        let mut scale = Scale::new(expected.clone());
        match &facts.files {
            Seen::Absent if self.optional || self.is_pattern() => {
                return not_applicable(expected, absent());
            }
            Seen::Absent => scale.weigh(Layer::Effective, self.path.as_str(), absent(), false),
            Seen::Found(files) if files.is_empty() => return not_applicable(expected, absent()),
            Seen::Found(files) => {
                for file in files {
                    scale.weigh(Layer::Effective, &file.path, file.words(), self.fits(file));
                }
            }
            Seen::NotRunning => {}
            Seen::Unreadable(cause) => scale.unknown(cause),
        }
        scale.conclude()
    }

    fn fits(&self, file: &FileFacts) -> bool {
        let belongs = |wanted: &Option<PlainName>, found: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.as_str() == found)
        };
        belongs(&self.owner, &file.owner)
            && belongs(&self.group, &file.group)
            && (file.is_link || file.mode.is_within(self.most))
    }

    /// Gives the files to whom they should belong, and takes away the bits that are too many.
    pub fn remedy(&self) -> Vec<Action> {
        vec![Action::RestrictFile {
            path: self.path.clone(),
            owner: self.owner.clone(),
            group: self.group.clone(),
            most: self.most,
        }]
    }
}

impl FileFacts {
    fn words(&self) -> String {
        let Self {
            owner, group, mode, ..
        } = self;
        if self.is_link {
            format!("symbolic link {owner}:{group}")
        } else {
            format!("{owner}:{group} {mode}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> FileMode {
        toml::from_str(text).unwrap()
    }

    fn file(owner: &str, group: &str, mode: u32) -> FileFacts {
        FileFacts {
            path: "/etc/shadow".to_owned(),
            owner: owner.to_owned(),
            group: group.to_owned(),
            mode: Mode::from_bits(mode),
            is_link: false,
        }
    }

    #[test]
    fn file_grants_no_more_than_it_may() {
        let shadow =
            check("path = \"/etc/shadow\"\nowner = \"root\"\ngroup = \"shadow\"\nmost = \"0640\"");
        let table = [
            (file("root", "shadow", 0o640), "pass"),
            (file("root", "shadow", 0o600), "pass"),
            (file("root", "shadow", 0o644), "fail"),
            (file("root", "shadow", 0o4640), "fail"),
            (file("root", "root", 0o640), "fail"),
            (file("games", "shadow", 0o640), "fail"),
        ];
        for (file, expected) in table {
            let facts = FileModeFacts {
                files: Seen::Found(vec![file]),
            };
            assert_eq!(shadow.judge(&facts).verdict.word(), expected, "{facts:?}");
        }
    }

    #[test]
    fn one_bad_file_of_many_deviates() {
        let keys = check("path = \"/etc/ssh/ssh_host_*_key\"\nowner = \"root\"\nmost = \"0600\"");
        let facts = FileModeFacts {
            files: Seen::Found(vec![
                file("root", "root", 0o600),
                file("root", "root", 0o604),
            ]),
        };
        assert_eq!(keys.judge(&facts).verdict.word(), "fail");
    }

    #[test]
    fn missing_file_deviates_unless_it_is_optional() {
        let facts = FileModeFacts {
            files: Seen::Absent,
        };
        let one = "path = \"/etc/a\"\nmost = \"0600\"";
        assert_eq!(check(one).judge(&facts).verdict.word(), "fail");
        let optional = check(&format!("{one}\noptional = true"));
        assert_eq!(optional.judge(&facts).verdict.word(), "not applicable");
    }
}
