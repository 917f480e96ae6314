//! What `sudo` reads: its file, and all that it includes.

use policies::check::seen::{Located, Seen};

use crate::host::{HostError, Inspect};

/// The first file.
pub(super) const SUDOERS: &str = "/etc/sudoers";

/// `sudo` itself stops at 128.
const MOST_NESTED: usize = 128;

/// So many lines nobody writes: a file that includes itself twice does.
const MOST_LINES: usize = 20_000;

/// Reads all lines in the order in which `sudo` does, continued lines joined and comments left out.
pub(super) fn read(host: &impl Inspect) -> Seen<Vec<Located>> {
    let mut lines = Vec::new();
    match read_file(SUDOERS, 0, host, &mut lines) {
        Ok(true) => Seen::Found(lines),
        Ok(false) => Seen::Absent,
        Err(cause) => Seen::Unreadable(cause),
    }
}

fn read_file(
    path: &str,
    depth: usize,
    host: &impl Inspect,
    lines: &mut Vec<Located>,
) -> Result<bool, String> {
    if depth > MOST_NESTED || lines.len() > MOST_LINES {
        return Err(format!("`{path}` is included too often"));
    }
    let Some(text) = host.text(path).map_err(|error| error.chain())? else {
        return Ok(false);
    };
    for (number, line) in logical_lines(&text) {
        let Some((directive, rest)) = include(&line) else {
            let line = without_comment(&line);
            if !line.is_empty() {
                lines.push(Located::new(line, format!("{path}:{number}")));
            }
            continue;
        };
        let target = target(path, rest).ok_or_else(|| format!("`{path}:{number}`: {line}"))?;
        if directive == "include" {
            read_file(&target, depth + 1, host, lines)?;
            continue;
        }
        for name in folder(&target, host).map_err(|error| error.chain())? {
            read_file(&format!("{target}/{name}"), depth + 1, host, lines)?;
        }
    }
    Ok(true)
}

/// Names with a dot or a tilde at their end are left out, as `sudo` does.
fn folder(path: &str, host: &impl Inspect) -> Result<Vec<String>, HostError> {
    let names = host.list(path)?.unwrap_or_default();
    let counts = |name: &String| !name.contains('.') && !name.ends_with('~');
    Ok(names.into_iter().filter(counts).collect())
}

/// Joins lines that end with a backslash; the number is that of the first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let (part, continued) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some((_, last)) if goes_on => last.push_str(part),
            _ => lines.push((index + 1, part.to_owned())),
        }
        goes_on = continued;
    }
    lines
}

/// `@include` and `@includedir`, which are also written with `#`.
fn include(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim().strip_prefix(['@', '#'])?;
    let (directive, target) = rest.split_once(char::is_whitespace)?;
    matches!(directive, "include" | "includedir").then(|| (directive, target.trim()))
}

/// The path that is included; none when it depends on the name of the host.
fn target(from: &str, target: &str) -> Option<String> {
    let target = target.trim_matches('"').replace("\\ ", " ");
    if target.contains('%') {
        return None;
    }
    if target.starts_with('/') {
        return Some(target);
    }
    let (folder, _) = from.rsplit_once('/')?;
    Some(format!("{folder}/{target}"))
}

/// A `#` begins a comment, unless it is quoted or a number follows: then it is that of an account.
fn without_comment(line: &str) -> String {
    let mut kept = String::new();
    let (mut quoted, mut escaped) = (false, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let is_number = chars.peek().is_some_and(char::is_ascii_digit);
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' if !quoted && !is_number => break,
            _ => {}
        }
        kept.push(c);
    }
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::Fake;

    fn lines(host: &Fake) -> Vec<(String, String)> {
        match read(host) {
            Seen::Found(lines) => lines
                .into_iter()
                .map(|line| (line.source, line.value))
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn included_files_are_read_where_they_are_included() {
        let host = Fake::new()
            .file(
                "/etc/sudoers",
                "# x\nDefaults env_reset # y\n@includedir sudoers.d\nada ALL=\\\n  /bin/ls\n#include more\n#1000 ALL=ALL\n",
            )
            .file("/etc/sudoers.d/b", "b ALL=ALL\n")
            .file("/etc/sudoers.d/a", "a ALL=ALL\n")
            .file("/etc/sudoers.d/c.dpkg-old", "c ALL=ALL\n")
            .file("/etc/sudoers.d/d~", "d ALL=ALL\n")
            .file("/etc/more", "m ALL=ALL");
        let pair = |source: &str, line: &str| (source.to_owned(), line.to_owned());
        assert_eq!(
            lines(&host),
            [
                pair("/etc/sudoers:2", "Defaults env_reset"),
                pair("/etc/sudoers.d/a:1", "a ALL=ALL"),
                pair("/etc/sudoers.d/b:1", "b ALL=ALL"),
                pair("/etc/sudoers:4", "ada ALL=  /bin/ls"),
                pair("/etc/more:1", "m ALL=ALL"),
                pair("/etc/sudoers:7", "#1000 ALL=ALL"),
            ]
        );
    }

    #[test]
    fn what_cannot_be_followed_is_not_known() {
        let loops = Fake::new().file("/etc/sudoers", "@include /etc/sudoers\n");
        assert!(matches!(read(&loops), Seen::Unreadable(_)));
        let host = Fake::new().file("/etc/sudoers", "@include /etc/sudoers.%h\n");
        assert!(matches!(read(&host), Seen::Unreadable(_)));
        assert!(matches!(read(&Fake::new()), Seen::Absent));
    }
}
