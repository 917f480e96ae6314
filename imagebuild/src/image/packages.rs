use std::collections::BTreeMap;

use super::{Error, Image};

/// A package that is installed in an image.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

/// The packages that are installed, by name and architecture.
pub fn installed(image: &Image) -> Result<Vec<Installed>, Error> {
    Ok(parse(&image.text("/var/lib/dpkg/status")?))
}

/// The Python distributions in a virtual environment, with their versions by name.
pub fn python(image: &Image, environment: &str) -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for library in image.names(&format!("{environment}/lib"))? {
        let site = format!("{environment}/lib/{library}/site-packages");
        for folder in image
            .names(&site)?
            .into_iter()
            .filter(|name| name.ends_with(".dist-info"))
        {
            let text = image.text(&format!("{site}/{folder}/METADATA"))?;
            // The header ends at the first empty line; a description may say "Name:" too.
            let head = text.split("\n\n").next().unwrap_or_default();
            if let (Some(name), Some(version)) = (field(head, "Name"), field(head, "Version")) {
                found.insert(name.to_owned(), version.to_owned());
            }
        }
    }
    Ok(found)
}

fn parse(status: &str) -> Vec<Installed> {
    let mut packages: Vec<_> = status
        .split("\n\n")
        .filter(|entry| field(entry, "Status").is_some_and(|status| status.ends_with(" installed")))
        .filter_map(|entry| {
            Some(Installed {
                name: field(entry, "Package")?.to_owned(),
                version: field(entry, "Version")?.to_owned(),
                architecture: field(entry, "Architecture")?.to_owned(),
            })
        })
        .collect();
    packages.sort();
    packages
}

fn field<'a>(entry: &'a str, name: &str) -> Option<&'a str> {
    entry
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_are_listed() {
        let status = "Package: b\nStatus: install ok installed\nVersion: 1:2-3\nArchitecture: amd64\n\
                      Description: x\n Version: 9\n\n\
                      Package: a\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n\n";
        let found = parse(status);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].name.as_str(), found[0].version.as_str()),
            ("b", "1:2-3")
        );
    }
}
