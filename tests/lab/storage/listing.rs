//! Listings, with what Azurite does not know of the blobs.

use super::worm::Held;

/// What a client may ask to be listed and Azurite does not know.
const UNKNOWN: [&str; 3] = ["immutabilitypolicy", "legalhold", "versions"];

/// The query without what Azurite does not know.
pub(super) fn known(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some(("include", items)) => {
            let items = items.replace("%2C", ",").replace("%2c", ",");
            let known: Vec<_> = items
                .split(',')
                .filter(|item| !UNKNOWN.contains(item))
                .collect();
            format!("include={}", known.join(","))
        }
        _ => pair.to_owned(),
    });
    pairs
        .filter(|pair| pair != "include=")
        .collect::<Vec<_>>()
        .join("&")
}

/// The listing of a container with versions and policies added.
pub(super) fn completed(listing: &str, container: &str, held: &Held) -> String {
    let completed = listing.split("<Blob>").map(|piece| {
        let named = piece
            .strip_prefix("<Name>")
            .and_then(|rest| rest.split_once("</Name>"));
        let known = named.and_then(|(name, _)| held.get(&(container.to_owned(), unescaped(name))));
        match (named, known) {
            (Some((name, rest)), Some(known)) => {
                let (version, properties) = known.listed();
                let rest = rest.replacen("</Properties>", &format!("{properties}</Properties>"), 1);
                format!("<Name>{name}</Name>{version}{rest}")
            }
            _ => piece.to_owned(),
        }
    });
    completed.collect::<Vec<_>>().join("<Blob>")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::storage::Lockdown;
    use crate::lab::storage::worm::Hold;

    #[test]
    fn listing_names_versions_of_held_blobs_only() {
        let listing = "<Blobs><Blob><Name>a&amp;b</Name><Properties></Properties></Blob>\
                       <Blob><Name>c</Name><Properties></Properties></Blob></Blobs>";
        let held = Held::from([(("import".into(), "a&b".into()), Hold::new(Lockdown::FULL))]);

        let whole = completed(listing, "import", &held);

        assert!(whole.contains("<Name>a&amp;b</Name><VersionId>"), "{whole}");
        assert!(
            whole.contains("Mode>locked</ImmutabilityPolicyMode></Properties></Blob>"),
            "{whole}"
        );
        assert!(
            whole.ends_with("<Blob><Name>c</Name><Properties></Properties></Blob></Blobs>"),
            "{whole}"
        );
        assert_eq!(
            known("comp=list&include=metadata%2Cversions"),
            "comp=list&include=metadata"
        );
    }
}
