//! What differs between two images.
//!
//! Times are not compared (no two builds have the same), nor are extended attributes (the reader of the
//! file system does not show them).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use policies::report::Report;
use serde::Serialize;

use crate::{
    custody, files,
    image::{
        Error, Image, packages,
        tree::{Entry, Kind, Tree},
    },
};

/// What differs between two images, by area.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Difference {
    /// Packages with their versions.
    pub packages: Vec<Change>,
    /// Units that the machine starts, and units that are masked.
    pub units: Vec<Change>,
    /// Accounts.
    pub users: Vec<Change>,
    /// Groups with their members.
    pub groups: Vec<Change>,
    /// Programs that run with their owner's rights.
    pub setuid: Vec<Change>,
    /// Sockets that the booted images listened on; none when an image has no report beside it.
    pub listening: Option<Vec<Change>>,
    /// What is outside the root file system.
    pub boot: Vec<Change>,
    /// Files: content, mode, owner.
    pub files: Vec<Change>,
}

/// Something that one image has differently.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Change {
    /// What it is.
    pub what: String,
    /// What it is in the first image; none if it has none.
    pub a: Option<String>,
    /// What it is in the second image; none if it has none.
    pub b: Option<String>,
}

impl Difference {
    /// Compares two images.
    pub fn between(a: &Path, b: &Path) -> Result<Self, Error> {
        let (images, reports) = ((Image::open(a)?, Image::open(b)?), (report(a), report(b)));
        let trees = (images.0.tree()?, images.1.tree()?);
        let facts = |image: &Image, tree: &Tree| -> Result<Facts, Error> { Facts::of(image, tree) };
        let (left, right) = (facts(&images.0, &trees.0)?, facts(&images.1, &trees.1)?);
        Ok(Self {
            packages: changes(&left.packages, &right.packages),
            units: changes(&left.units, &right.units),
            users: changes(&left.users, &right.users),
            groups: changes(&left.groups, &right.groups),
            setuid: changes(&left.setuid, &right.setuid),
            listening: match (reports.0, reports.1) {
                (Some(a), Some(b)) => Some(changes(&listening(&a), &listening(&b))),
                _ => None,
            },
            boot: changes(&left.boot, &right.boot),
            files: differing_files(&images, &trees)?,
        })
    }

    /// Says whether the images are the same.
    pub fn is_empty(&self) -> bool {
        self.areas().iter().all(|(_, changes)| changes.is_empty())
    }

    /// The areas with their changes.
    pub fn areas(&self) -> [(&'static str, &[Change]); 8] {
        [
            ("package", &self.packages),
            ("unit", &self.units),
            ("user", &self.users),
            ("group", &self.groups),
            ("setuid", &self.setuid),
            ("listening", self.listening.as_deref().unwrap_or_default()),
            ("boot", &self.boot),
            ("file", &self.files),
        ]
    }
}

type Named = BTreeMap<String, String>;

/// What an image is, as far as it can be read in a line each.
struct Facts {
    packages: Named,
    units: Named,
    users: Named,
    groups: Named,
    setuid: Named,
    boot: Named,
}

impl Facts {
    fn of(image: &Image, tree: &Tree) -> Result<Self, Error> {
        let installed = packages::installed(image)?.into_iter();
        let partitions = image.other_partitions()?.into_iter().enumerate();
        let setuid = tree.iter().filter(|(_, entry)| entry.is_setuid());
        Ok(Self {
            packages: installed
                .map(|package| {
                    (
                        format!("{}:{}", package.name, package.architecture),
                        package.version,
                    )
                })
                .collect(),
            units: units(tree),
            users: records(&image.text("/etc/passwd")?),
            groups: records(&image.text("/etc/group")?),
            setuid: setuid
                .map(|(path, entry)| (path.clone(), entry.rights()))
                .collect(),
            boot: partitions
                .map(|(number, digest)| (format!("partition {}", number + 1), digest.to_string()))
                .collect(),
        })
    }
}

/// What the administrator's links say about units: wanted by a target, an alias, or masked.
fn units(tree: &Tree) -> Named {
    tree.iter()
        .filter_map(|(path, entry)| {
            let name = path.strip_prefix("/etc/systemd/system/")?;
            match &entry.kind {
                Kind::Link(target) if target == "/dev/null" => {
                    Some((name.to_owned(), "masked".to_owned()))
                }
                Kind::Link(_) => Some((name.to_owned(), "enabled".to_owned())),
                Kind::Device | Kind::File(_) | Kind::Folder => None,
            }
        })
        .collect()
}

/// The lines of a file such as `/etc/passwd` by their first field.
fn records(text: &str) -> Named {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, rest)| (name.to_owned(), rest.to_owned()))
        .collect()
}

fn listening(report: &Report) -> Named {
    let sockets = report.facts.get("listening").into_iter().flatten();
    sockets
        .map(|socket| (socket.clone(), "listening".to_owned()))
        .collect()
}

/// The report beside an image, if there is one.
fn report(path: &Path) -> Option<Report> {
    let image = Image::file(path);
    let bytes = files::read(&files::folder_of(&image).join(custody::REPORT), MOST_BYTES).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn changes(a: &Named, b: &Named) -> Vec<Change> {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| Change {
            what: name.clone(),
            a: a.get(name).cloned(),
            b: b.get(name).cloned(),
        })
        .collect()
}

fn differing_files(images: &(Image, Image), trees: &(Tree, Tree)) -> Result<Vec<Change>, Error> {
    let mut found = Vec::new();
    let paths: BTreeSet<_> = trees.0.keys().chain(trees.1.keys()).collect();
    for path in paths {
        let (a, b) = (trees.0.get(path), trees.1.get(path));
        let mut texts = (a.map(describe), b.map(describe));
        // Only files that look alike have to be read.
        if let (Some(Kind::File(1..)), true) = (a.map(|entry| &entry.kind), texts.0 == texts.1) {
            let digests = (images.0.digest(path)?, images.1.digest(path)?);
            if digests.0 != digests.1 {
                texts.0 = texts
                    .0
                    .map(|text| format!("{text} sha256 {}", digests.0.short()));
                texts.1 = texts
                    .1
                    .map(|text| format!("{text} sha256 {}", digests.1.short()));
            }
        }
        if texts.0 != texts.1 {
            found.push(Change {
                what: path.clone(),
                a: texts.0,
                b: texts.1,
            });
        }
    }
    Ok(found)
}

fn describe(entry: &Entry) -> String {
    let rights = entry.rights();
    match &entry.kind {
        Kind::Device => format!("device {rights}"),
        Kind::File(size) => format!("{size} bytes {rights}"),
        Kind::Folder => format!("folder {rights}"),
        Kind::Link(target) => format!("link to {target}"),
    }
}

/// No report is this long.
const MOST_BYTES: u64 = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_links_are_compared_by_name() {
        let a = records("root:x:0:0:::\nbob:x:1000:\n");
        let b = records("root:x:0:0:::\neve:x:1000:\n");
        let names: Vec<_> = changes(&a, &b)
            .into_iter()
            .map(|change| change.what)
            .collect();
        assert_eq!(names, ["bob", "eve"]);

        let link = |target: &str| Entry {
            kind: Kind::Link(target.to_owned()),
            mode: 0o777,
            owner: (0, 0),
        };
        let tree = Tree::from([
            (
                "/etc/systemd/system/a.service".to_owned(),
                link("/dev/null"),
            ),
            (
                "/etc/systemd/system/x.target.wants/b.service".to_owned(),
                link("/lib/b.service"),
            ),
            ("/etc/other".to_owned(), link("/dev/null")),
        ]);
        let units = units(&tree);
        assert_eq!(units["a.service"], "masked");
        assert_eq!(units["x.target.wants/b.service"], "enabled");
        assert_eq!(units.len(), 2);
    }
}
