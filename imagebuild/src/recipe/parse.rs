//! Text to recipe, with errors that name the line.

use std::{
    collections::HashSet,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::{BaseKind, Recipe};
use crate::{
    exit::{Ends, Exit},
    files,
};

/// Why there is no recipe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no recipe.
    #[error("recipe `{}` is not valid", path.display())]
    Invalid {
        /// The recipe.
        path: PathBuf,
        /// What is wrong in it, and where.
        source: Mistake,
    },
    /// The file cannot be read.
    #[error("failed to load the recipe")]
    Read(#[source] files::Error),
}

impl Error {
    pub(super) fn read(source: files::Error) -> Self {
        Self::Read(source)
    }
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        Exit::BadInput
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { source, .. } => source.hint.clone(),
            Self::Read(_) => Some("`imagebuild init` writes a recipe to begin with".to_owned()),
        }
    }
}

/// What is wrong in a recipe, and where.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {what}", file.display())]
pub struct Mistake {
    file: PathBuf,
    line: usize,
    what: String,
    hint: Option<String>,
}

/// The text of a recipe and where it comes from.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

/// Reads a recipe from the bytes of its file.
pub(super) fn recipe(bytes: &[u8], path: &Path) -> Result<Recipe, Error> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = line_after(before);
        let mistake = Mistake {
            file: path.to_owned(),
            line,
            what: "this is not UTF-8 text".to_owned(),
            hint: None,
        };
        Error::Invalid {
            path: path.to_owned(),
            source: mistake,
        }
    })?;
    let source = Source { path, text };
    source.check_schema()?;
    let recipe: Recipe = toml::from_str(text).map_err(|error| source.mistake(&error))?;
    source.check_names(&recipe)?;
    source.check_sense(&recipe)?;
    Ok(recipe)
}

impl Source<'_> {
    fn error(
        &self,
        at: Option<Range<usize>>,
        what: impl Into<String>,
        hint: Option<String>,
    ) -> Error {
        let before = at.map_or(0, |span| span.start).min(self.text.len());
        let before = self.text.as_bytes().get(..before).unwrap_or_default();
        Error::Invalid {
            path: self.path.to_owned(),
            source: Mistake {
                file: self.path.to_owned(),
                line: line_after(before),
                what: what.into(),
                hint,
            },
        }
    }

    fn mistake(&self, error: &toml::de::Error) -> Error {
        let what = error.message().replace('\n', "; ");
        let hint = did_you_mean(&what);
        self.error(error.span(), what, hint)
    }

    /// A recipe of another schema is told as that, not by the first key that is new in it.
    fn check_schema(&self) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<Spanned<toml::Value>>,
        }
        let head: Head = toml::from_str(self.text).map_err(|error| self.mistake(&error))?;
        let known = Some("this program knows `schema = 1`".to_owned());
        match head.schema {
            None => Err(self.error(None, "the key `schema` is missing", known)),
            Some(schema) => match schema.get_ref() {
                toml::Value::Integer(1) => Ok(()),
                other => Err(self.error(
                    Some(schema.span()),
                    format!("unknown schema {other}"),
                    known,
                )),
            },
        }
    }

    /// Two accounts, binaries or files of one name would overwrite each other.
    fn check_names(&self, recipe: &Recipe) -> Result<(), Error> {
        let users = recipe.users.iter().map(|user| user.name.as_str());
        if let Some(twice) = second(users) {
            return Err(self.twice("user", "name", twice));
        }
        let binaries = recipe.binaries.iter().map(|binary| binary.name.as_str());
        if let Some(twice) = second(binaries) {
            return Err(self.twice("binary", "name", twice));
        }
        let files = recipe
            .binaries
            .iter()
            .map(|binary| binary.source.file_name());
        if let Some(twice) = second(files) {
            return Err(self.twice("binary", "source", twice));
        }
        let scripts = recipe.scripts.iter().map(|script| script.path.file_name());
        second(scripts).map_or(Ok(()), |twice| Err(self.twice("script", "path", twice)))
    }

    fn twice(&self, table: &str, key: &str, at: usize) -> Error {
        let what = format!("a second `[[{table}]]` has this `{key}`");
        self.error(self.span_of(table, at, key), what, None)
    }

    /// What fits its type and still cannot work.
    fn check_sense(&self, recipe: &Recipe) -> Result<(), Error> {
        if let Some(at) = recipe
            .binaries
            .iter()
            .position(|binary| binary.file().is_err())
        {
            let what = "the file's name must not begin with a dot or a dash";
            return Err(self.error(self.span_of("binary", at, "source"), what, None));
        }
        match recipe.base.kind {
            BaseKind::Debian if recipe.base.disk_size.count() < 1 << 30 => {
                let at = self.text.find("disk-size").map(|at| at..at);
                Err(self.error(at, "a Debian disk needs at least 1GiB", None))
            }
            BaseKind::Debian => Ok(()),
        }
    }

    /// Where a key of one of several tables stands.
    fn span_of(&self, table: &str, at: usize, key: &str) -> Option<Range<usize>> {
        type Tables = Vec<std::collections::BTreeMap<String, Spanned<toml::Value>>>;
        #[derive(Deserialize)]
        struct Lists {
            #[serde(default)]
            user: Tables,
            #[serde(default)]
            binary: Tables,
            #[serde(default)]
            script: Tables,
        }
        let lists: Lists = toml::from_str(self.text).ok()?;
        let tables = match table {
            "user" => lists.user,
            "script" => lists.script,
            _ => lists.binary,
        };
        Some(tables.get(at)?.get(key)?.span())
    }
}

/// The number of the line that follows some bytes.
fn line_after(before: &[u8]) -> usize {
    before.split(|byte| *byte == b'\n').count()
}

/// The place of the first name that was there before.
fn second<'a>(names: impl Iterator<Item = &'a str>) -> Option<usize> {
    let mut seen = HashSet::new();
    names.into_iter().position(|name| !seen.insert(name))
}

/// Guesses what was meant from a message such as "unknown field `a`, expected one of `b`, `c`".
fn did_you_mean(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown ") {
        return None;
    }
    let written = quoted.next()?;
    let (best, likeness) = quoted
        .map(|known| (known, strsim::jaro_winkler(written, known)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    (likeness > ALIKE).then(|| format!("did you mean `{best}`?"))
}

/// Below this, words are different words; above it, one of them is a slip of the other.
const ALIKE: f64 = 0.75;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"schema = 1
name = "desk"
version = "1.0.0"
policy = "policy.toml"
[base]
kind = "debian"
suite = "bookworm"
disk-size = "2GiB"
[[binary]]
name = "a"
source = "in/a b.deb"
install = { deb = {} }
"#;

    fn mistake(text: &str) -> (String, Option<String>) {
        let error = recipe(text.as_bytes(), Path::new("desk.toml")).unwrap_err();
        let Error::Invalid { source, .. } = error else {
            panic!("{error}")
        };
        (source.to_string(), source.hint)
    }

    #[test]
    fn a_good_recipe_is_read() {
        let recipe = recipe(GOOD.as_bytes(), Path::new("desk.toml")).unwrap();
        assert_eq!(recipe.binaries[0].source.file_name(), "a b.deb");
        assert_eq!(recipe.engine, super::super::Engine::default());
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_the_likely_one() {
        let (what, hint) = mistake(&GOOD.replace("suite", "siute"));
        assert!(
            what.starts_with("desk.toml:7: unknown field `siute`"),
            "{what}"
        );
        assert_eq!(hint.unwrap(), "did you mean `suite`?");
    }

    #[test]
    fn a_wrong_type_is_told_with_its_line() {
        let (what, _) = mistake(&GOOD.replace("\"2GiB\"", "2"));
        assert!(what.starts_with("desk.toml:8: invalid type"), "{what}");
    }

    #[test]
    fn another_schema_is_the_first_mistake() {
        let (what, hint) = mistake(&GOOD.replace("schema = 1", "new-key = true\nschema = 2"));
        assert_eq!(what, "desk.toml:2: unknown schema 2");
        assert!(hint.unwrap().contains("schema = 1"));
        let (what, _) = mistake(&GOOD.replace("schema = 1\n", ""));
        assert_eq!(what, "desk.toml:1: the key `schema` is missing");
    }

    #[test]
    fn two_binaries_of_one_name_are_refused_at_the_second() {
        let again = "[[binary]]\nname = \"a\"\nsource = \"in/c\"\ninstall = { deb = {} }\n";
        let (what, _) = mistake(&format!("{GOOD}{again}"));
        assert_eq!(what, "desk.toml:14: a second `[[binary]]` has this `name`");
    }

    #[test]
    fn names_that_climb_or_break_lines_are_refused_with_their_line() {
        for (good, bad) in [
            ("name = \"desk\"", "name = \"../desk\""),
            ("name = \"desk\"", "name = \"de\\nsk\""),
            ("name = \"desk\"", "name = \"de sk\""),
            ("source = \"in/a b.deb\"", "source = \"../a.deb\""),
            ("source = \"in/a b.deb\"", "source = \"in/a\\nb.deb\""),
            ("source = \"in/a b.deb\"", "source = \"in/.deb\""),
        ] {
            let (what, _) = mistake(&GOOD.replace(good, bad));
            let line = 1 + GOOD.lines().position(|line| line == good).unwrap();
            assert!(
                what.starts_with(&format!("desk.toml:{line}: ")),
                "{bad}: {what}"
            );
        }
    }

    #[test]
    fn a_deeply_nested_recipe_is_refused() {
        let (what, _) = mistake(&format!("a = {}", "[".repeat(1_000_000)));
        assert!(what.starts_with("desk.toml:1: "), "{what}");
    }

    #[test]
    fn ten_megabytes_of_recipe_are_read_or_refused() {
        let long = format!("{GOOD}{}", "# comment\n".repeat(999_000));
        assert!(recipe(long.as_bytes(), Path::new("desk.toml")).is_ok());
        let many = format!("{GOOD}[x]\n{}", "a.b.c = 1\n".repeat(900_000));
        assert!(recipe(many.as_bytes(), Path::new("desk.toml")).is_err());
    }

    proptest! {
        /// Whatever is in a file, reading it as a recipe ends with a recipe or a mistake.
        #[test]
        fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(recipe(&bytes, Path::new("desk.toml")).is_err());
        }

        /// A recipe with some bytes changed is read or refused.
        #[test]
        fn damaged_recipes_do_not_panic(at in 0..GOOD.len(), byte in any::<u8>(), cut in 0..GOOD.len()) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            let _either = recipe(&bytes, Path::new("desk.toml"));
            bytes.truncate(cut);
            let _either = recipe(&bytes, Path::new("desk.toml"));
        }
    }
}
