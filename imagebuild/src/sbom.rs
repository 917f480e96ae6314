//! What an image consists of: CycloneDX 1.6 (<https://cyclonedx.org/docs/1.6/json/>).
//!
//! The list is read out of the finished disk, not out of the recipe: what is in the image counts, whoever
//! put it there. The same image gives the same bytes.

use std::{collections::BTreeSet, path::Path};

use policies::manifest::Install;
use serde::Serialize;

use crate::{
    custody,
    exit::Failure,
    files,
    image::{Image, packages},
    import::Staged,
    lock::Lock,
    recipe::Recipe,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bom {
    #[serde(rename = "bomFormat")]
    format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Metadata,
    components: Vec<Component>,
}

#[derive(Serialize)]
struct Metadata {
    tools: Tools,
    component: Component,
}

#[derive(Serialize)]
struct Tools {
    components: Vec<Component>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Component {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash {
    alg: &'static str,
    content: String,
}

#[derive(Serialize)]
struct Property {
    name: &'static str,
    value: String,
}

/// Writes the list of an image beside it.
pub fn write(
    folder: &Path,
    lock: &Lock,
    staged: &[Staged],
    recipe: &Recipe,
) -> Result<(), Failure> {
    let image = Image::open(&folder.join(custody::VHD))?;
    let mut components: Vec<_> = packages::installed(&image)?.iter().map(package).collect();
    components.extend(staged.iter().map(binary));
    let environments: BTreeSet<_> = recipe
        .binaries
        .iter()
        .filter_map(|binary| match &binary.install {
            Install::Wheel { python } => Some(python.as_str()),
            Install::Deb {} | Install::File { .. } => None,
        })
        .collect();
    for environment in environments {
        let found = packages::python(&image, environment)?;
        components.extend(
            found
                .iter()
                .map(|(name, version)| python(environment, name, version)),
        );
    }
    let bom = Bom {
        format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial(lock)?,
        version: 1,
        metadata: Metadata {
            tools: Tools {
                components: vec![tool()],
            },
            component: Component {
                r#type: "operating-system",
                bom_ref: "image".to_owned(),
                name: lock.image.clone(),
                version: Some(lock.version.clone()),
                ..Component::default()
            },
        },
        components,
    };
    let mut bytes = serde_json::to_vec_pretty(&bom).map_err(custody::Error::from)?;
    bytes.push(b'\n');
    Ok(files::write(&folder.join(custody::SBOM), &bytes, 0o644)?)
}

/// The list's own name follows from the lock, as the image does.
fn serial(lock: &Lock) -> Result<String, crate::lock::Error> {
    let digest = lock.digest()?;
    let name = format!("sbom {digest}");
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
    Ok(format!("urn:uuid:{id}"))
}

fn tool() -> Component {
    Component {
        r#type: "application",
        bom_ref: "imagebuild".to_owned(),
        name: "imagebuild".to_owned(),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        ..Component::default()
    }
}

fn package(package: &packages::Installed) -> Component {
    let (name, version, architecture) = (&package.name, &package.version, &package.architecture);
    let purl = format!(
        "pkg:deb/debian/{}@{}?arch={architecture}",
        encoded(name),
        encoded(version)
    );
    Component {
        r#type: "library",
        bom_ref: purl.clone(),
        name: name.clone(),
        version: Some(version.clone()),
        purl: Some(purl),
        ..Component::default()
    }
}

fn binary(staged: &Staged) -> Component {
    let receipt = staged.receipt_digest.to_string();
    Component {
        r#type: "file",
        bom_ref: format!("staged:{}", staged.receipt.name),
        name: staged.receipt.name.to_string(),
        hashes: vec![Hash {
            alg: "SHA-256",
            content: staged.sha256.to_string(),
        }],
        properties: vec![
            Property {
                name: "sealed-dsvm:receipt",
                value: receipt,
            },
            Property {
                name: "sealed-dsvm:source",
                value: staged.receipt.source.clone(),
            },
        ],
        ..Component::default()
    }
}

fn python(environment: &str, name: &str, version: &str) -> Component {
    let purl = format!(
        "pkg:pypi/{}@{}",
        encoded(&name.to_lowercase()),
        encoded(version)
    );
    Component {
        r#type: "library",
        bom_ref: format!("{purl}#{environment}"),
        name: name.to_owned(),
        version: Some(version.to_owned()),
        purl: Some(purl),
        properties: vec![Property {
            name: "sealed-dsvm:path",
            value: environment.to_owned(),
        }],
        ..Component::default()
    }
}

/// A text as part of a package URL: everything but the unreserved characters of RFC 3986 is encoded.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_encoded() {
        let component = package(&packages::Installed {
            name: "libstdc++6".to_owned(),
            version: "1:12.2~a+b".to_owned(),
            architecture: "amd64".to_owned(),
        });
        let expected = "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2~a%2Bb?arch=amd64";
        assert_eq!(component.purl.unwrap(), expected);
    }
}
