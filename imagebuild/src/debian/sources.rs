//! The host's apt sources: mirrors and keys come from there and nowhere else.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// One source: where packages of some suites are, and who signs them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Source {
    uris: String,
    suites: Vec<String>,
    components: String,
    options: BTreeMap<String, String>,
}

impl Source {
    /// Writes it as a stanza of a `.sources` file.
    fn stanza(&self) -> String {
        let mut stanza = format!(
            "Types: deb\nURIs: {}\nSuites: {}\n",
            self.uris,
            self.suites.join(" ")
        );
        if !self.components.is_empty() {
            write_field(&mut stanza, "Components", &self.components);
        }
        for (name, value) in &self.options {
            write_field(&mut stanza, name, value);
        }
        stanza
    }

    /// Keeps of the source what belongs to `suite`; nothing when nothing does.
    fn narrowed(mut self, suite: &str) -> Option<Self> {
        let own = [
            suite.to_owned(),
            format!("{suite}-updates"),
            format!("{suite}-security"),
            format!("{suite}/updates"),
        ];
        self.suites.retain(|name| own.contains(name));
        (!self.suites.is_empty()).then_some(self)
    }
}

fn write_field(stanza: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(stanza, "{name}: {value}");
}

/// Reads the sources of `suite` under `etc` (`/etc/apt`) and writes them as one `.sources` file.
pub(super) fn of_suite(etc: &Path, suite: &str) -> io::Result<Option<String>> {
    let mut sources = Vec::new();
    for path in files(etc)? {
        let text = fs::read_to_string(&path)?;
        let deb822 = path.extension().is_some_and(|extension| extension == "sources")
            // Some hosts keep the new form under the old name, and apt of that host copes.
            || text.lines().any(|line| line.starts_with("Types:"));
        sources.extend(if deb822 { stanzas(&text) } else { lines(&text) });
    }
    let stanzas: Vec<_> = sources
        .into_iter()
        .filter_map(|source| source.narrowed(suite))
        .map(|source| source.stanza())
        .collect();
    Ok((!stanzas.is_empty()).then(|| stanzas.join("\n")))
}

fn files(etc: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    match fs::read_dir(etc.join("sources.list.d")) {
        Ok(entries) => {
            for entry in entries {
                files.push(entry?.path());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    files.retain(|path| {
        path.extension()
            .is_some_and(|end| end == "list" || end == "sources")
    });
    files.sort();
    let main = etc.join("sources.list");
    if main.is_file() {
        files.insert(0, main);
    }
    Ok(files)
}

/// Reads the one-line form: `deb [signed-by=KEY] URI SUITE COMPONENT…`.
fn lines(text: &str) -> Vec<Source> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    let rest = rest
        .starts_with(char::is_whitespace)
        .then(|| rest.trim_start())?;
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let uris = words.next()?.to_owned();
    let suites = vec![words.next()?.to_owned()];
    let components = words.collect::<Vec<_>>().join(" ");
    let options = options
        .split_whitespace()
        .filter_map(|option| option.split_once('='))
        .filter_map(|(name, value)| Some((kept(name)?, value.replace(',', " "))))
        .collect();
    Some(Source {
        uris,
        suites,
        components,
        options,
    })
}

/// Reads the form of stanzas.
fn stanzas(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .chain([""])
    {
        if line.trim().is_empty() {
            sources.extend(stanza(&fields));
            fields.clear();
        } else if line.starts_with(char::is_whitespace) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    sources
}

fn stanza(fields: &[(String, String)]) -> Option<Source> {
    let field = |wanted: &str| {
        fields
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    let binary = field("types")?.split_whitespace().any(|kind| kind == "deb");
    let off = field("enabled").is_some_and(|enabled| enabled.eq_ignore_ascii_case("no"));
    if !binary || off {
        return None;
    }
    Some(Source {
        uris: words(field("uris")?),
        suites: field("suites")?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        components: words(field("components").unwrap_or_default()),
        options: fields
            .iter()
            .filter_map(|(name, value)| Some((kept(name)?, value.clone())))
            .collect(),
    })
}

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The options that say whom to trust, in the spelling of stanzas. The others belong to the host.
fn kept(option: &str) -> Option<String> {
    match option.to_ascii_lowercase().as_str() {
        "signed-by" => Some("Signed-By".to_owned()),
        "trusted" => Some("Trusted".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn etc(files: &[(&str, &str)]) -> tempfile::TempDir {
        let etc = tempfile::tempdir().unwrap();
        fs::create_dir(etc.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            io::Write::write_all(
                &mut fs::File::create(etc.path().join(name)).unwrap(),
                text.as_bytes(),
            )
            .unwrap();
        }
        etc
    }

    #[test]
    fn both_forms_are_read_and_other_suites_are_left_out() {
        let etc = etc(&[
            (
                "sources.list",
                "# a comment\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n\
                 deb-src http://mirror.example/debian bookworm main\n\
                 deb http://other.example/ cloud-sdk-bookworm main\n",
            ),
            (
                "sources.list.d/a.sources",
                "Types: deb deb-src\nURIs: http://mirror.example/sec\nSuites: bookworm-security trixie-security\n\
                 Components: main\nSigned-By:\n -----BEGIN PGP-----\n .\n abc\n",
            ),
        ]);
        insta::assert_snapshot!(of_suite(etc.path(), "bookworm").unwrap().unwrap(), @r"
        Types: deb
        URIs: http://mirror.example/debian
        Suites: bookworm
        Components: main contrib
        Signed-By: /k.gpg

        Types: deb
        URIs: http://mirror.example/sec
        Suites: bookworm-security
        Components: main
        Signed-By: 
         -----BEGIN PGP-----
         .
         abc
        ");
    }

    #[test]
    fn a_source_that_is_switched_off_stays_off() {
        let etc = etc(&[(
            "sources.list.d/a.sources",
            "Types: deb\nEnabled: no\nURIs: http://mirror.example\nSuites: bookworm\nComponents: main\n",
        )]);
        assert_eq!(of_suite(etc.path(), "bookworm").unwrap(), None);
    }

    #[test]
    fn a_host_without_the_suite_has_no_sources_for_it() {
        let etc = etc(&[(
            "sources.list",
            "deb http://mirror.example/debian trixie main\n",
        )]);
        assert_eq!(of_suite(etc.path(), "bookworm").unwrap(), None);
    }
}
