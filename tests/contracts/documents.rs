//! The documents are true: what they name exists.

use std::collections::BTreeSet;

use tests::repository::{Tracked, text, top, tracked};

fn documents() -> Vec<Tracked> {
    let documents: Vec<_> = tracked()
        .into_iter()
        .filter(|f| f.path.ends_with(".md"))
        .collect();
    assert!(documents.len() >= 8, "only {} documents", documents.len());
    documents
}

/// Pieces of a document that are written as code: between backticks, and lines of code blocks.
fn code(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            pieces.push(line.trim());
        } else {
            pieces.extend(line.split('`').skip(1).step_by(2));
        }
    }
    pieces
}

#[test]
fn every_make_target_in_a_document_exists() {
    let makefile = text("Makefile");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'2' || b == b'e')
        })
        .collect();
    let mut seen = 0;
    for document in documents() {
        for piece in code(&document.text) {
            let Some(rest) = piece.strip_prefix("make ") else {
                continue;
            };
            let target = rest.split_whitespace().next().unwrap_or_default();
            assert!(targets.contains(target), "{} says `{piece}`", document.path);
            seen += 1;
        }
    }
    assert!(seen >= 4, "the documents name only {seen} make targets");
}

#[test]
fn every_subcommand_in_a_document_exists() {
    let agent = subcommands(agent::cli::command());
    let imagebuild = subcommands(imagebuild::cli::command());
    let mut seen = 0;
    for document in documents() {
        for piece in code(&document.text) {
            let mut words = piece
                .split_whitespace()
                .skip_while(|word| ["sudo", "$"].contains(word));
            let known = match words.next() {
                Some("dsvm-agent") => &agent,
                Some("imagebuild") => &imagebuild,
                _ => continue,
            };
            let Some(name) = words
                .next()
                .filter(|word| word.bytes().all(|b| b.is_ascii_lowercase()))
            else {
                continue;
            };
            assert!(known.contains(name), "{} says `{piece}`", document.path);
            seen += 1;
        }
    }
    assert!(seen >= 10, "the documents name only {seen} subcommands");
}

fn subcommands(command: clap::Command) -> BTreeSet<String> {
    command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect()
}

/// SECURITY.md names a test for each guarantee, as `path/to/file.rs::name_of_test`.
#[test]
fn every_guarantee_names_a_test_that_exists() {
    let security = text("SECURITY.md");
    let mut guarantees = 0;
    for paragraph in security
        .split("\n\n")
        .filter(|text| text.starts_with("**G"))
    {
        guarantees += 1;
        let named: Vec<_> = code(paragraph)
            .into_iter()
            .filter(|piece| piece.contains(".rs::"))
            .collect();
        assert!(!named.is_empty(), "no test is named in: {paragraph}");
        for test in named {
            let (path, name) = test.split_once("::").unwrap();
            let source = text(path);
            assert!(
                source.contains(&format!("fn {name}(")),
                "`{test}` does not exist"
            );
        }
    }
    assert!(guarantees >= 10, "only {guarantees} guarantees");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for document in documents() {
        let folder = top().join(&document.path).parent().unwrap().to_path_buf();
        for target in document
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(
                folder.join(path).exists(),
                "{} links to {target}",
                document.path
            );
        }
    }
}

#[test]
fn changelog_has_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        text("CHANGELOG.md").contains(&format!("## {version}")),
        "no entry for {version}"
    );
}

/// The four exit codes are the same in both programs and in the documents.
#[test]
fn exit_codes_are_the_documented_ones() {
    for path in ["agent/src/exit.rs", "imagebuild/src/exit.rs"] {
        let source = text(path);
        for code in ["=> 0", "=> 1", "=> 2", "=> 3"] {
            assert!(source.contains(code), "{path} has no `{code}`");
        }
    }
    for document in ["docs/imagebuild.md", "docs/agent.md"] {
        let table = text(document);
        for code in ["| 0 |", "| 1 |", "| 2 |", "| 3 |"] {
            assert!(table.contains(code), "{document} has no row `{code}`");
        }
    }
}

#[test]
fn readme_stays_short() {
    let lines = text("README.md").lines().count();
    assert!(lines <= 120, "README.md has {lines} lines");
    let lines = text("ARCHITECTURE.md").lines().count();
    assert!(lines <= 250, "ARCHITECTURE.md has {lines} lines");
}
