//! Values in files with sections and in flat files. Comments, order and everything that is right stays as it
//! is.

use policies::check::demand::{Comparison, Demand};
use policies::plan::Change;

use super::{Error, OWN, put};
use crate::host::Alter;
use crate::observe::ini::{Dialect, Line};
use crate::observe::setting;

/// Where a value stands in a file with sections.
pub(super) struct Place<'a> {
    pub(super) section: &'a str,
    pub(super) key: &'a str,
    pub(super) overridden_by: Option<&'a str>,
}

/// Sets a value in a file with sections; for systemd in a drop-in, because another drop-in could win over
/// the file itself.
pub(super) fn set_ini(
    path: &str,
    place: &Place<'_>,
    demand: &Demand,
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let dialect = Dialect::of(path);
    let (path, start) = match dialect {
        Dialect::Systemd => (
            format!("{path}.d/zz-dsvm-agent.conf"),
            Some(format!("{OWN}\n")),
        ),
        Dialect::Plain | Dialect::Xrdp => (path.to_owned(), None),
    };
    let Some(text) = host.text(&path)?.or(start) else {
        return Err(Error::not_possible(format!("`{path}` is not there")));
    };
    put(&path, &with_ini(&text, dialect, place, demand), 0o644, host)
}

/// The text with a value set: wrong lines are set right, and the value is added to its section when it is
/// not in the first section of that name.
fn with_ini(text: &str, dialect: Dialect, place: &Place<'_>, demand: &Demand) -> String {
    let holds = |value: &str| demand.holds(value, Comparison::Loose);
    let value = demand.value();
    let mut lines: Vec<String> = Vec::new();
    let mut section = "";
    let mut seen_section = false;
    let mut in_first = false;
    let mut is_set = false;
    // Behind which line the value is added: the last one of the section that says something.
    let mut end = None;
    for line in text.lines() {
        let mut edited = line.to_owned();
        match Line::of(line) {
            Line::Section(name) => {
                section = name;
                in_first = dialect.same(name, place.section) && !seen_section;
                seen_section |= in_first;
            }
            Line::Assignment { key, value: found } => {
                let is_here = dialect.same(section, place.section);
                let is_it = is_here && dialect.same(key, place.key);
                let overrides = !is_here
                    && place
                        .overridden_by
                        .is_some_and(|other| dialect.same(key, other));
                is_set |= is_it && in_first;
                if (is_it || overrides) && !holds(found) {
                    edited = format!("{key}={value}");
                }
            }
            Line::Other => {}
        }
        lines.push(edited);
        if in_first && !line.trim().is_empty() {
            end = Some(lines.len());
        }
    }
    let added = format!("{}={value}", place.key);
    match end {
        Some(_) if is_set => {}
        Some(end) => lines.insert(end, added),
        None => {
            if lines.last().is_some_and(|line| !line.trim().is_empty()) {
                lines.push(String::new());
            }
            lines.extend([format!("[{}]", place.section), added]);
        }
    }
    lines.join("\n") + "\n"
}

/// Sets a value in a flat file.
pub(super) fn set_flat(
    path: &str,
    key: &str,
    demand: &Demand,
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let Some(text) = host.text(path)? else {
        return Err(Error::not_possible(format!("`{path}` is not there")));
    };
    put(path, &with_flat(&text, key, demand), 0o644, host)
}

fn with_flat(text: &str, key: &str, demand: &Demand) -> String {
    let value = demand.value();
    let assigns = |line: &str| line.trim_start_matches(['#', ' ']).contains('=');
    let sign = if text.lines().any(assigns) {
        " = "
    } else {
        "\t"
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut is_set = false;
    for line in &mut lines {
        let found = setting::assignments(line, key)
            .next()
            .map(|(_, found)| found.to_owned());
        let Some(found) = found else {
            continue;
        };
        is_set = true;
        if !demand.holds(&found, Comparison::Loose) {
            let sign = if line.contains('=') { " = " } else { "\t" };
            *line = format!("{key}{sign}{value}");
        }
    }
    if !is_set {
        lines.push(format!("{key}{sign}{value}"));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const XRDP: &str = "[Globals]\nport=3389\n\n[Channels]\n; what may cross\ncliprdr=true\nrdpdr=false\n\n[Xorg]\nname=Xorg\nchannel.cliprdr=true\n";

    fn off() -> Demand {
        Demand::Equals("false".to_owned())
    }

    fn place<'a>(section: &'a str, key: &'a str) -> Place<'a> {
        Place {
            section,
            key,
            overridden_by: None,
        }
    }

    #[test]
    fn wrong_lines_are_set_right_and_the_rest_stays() {
        let channel = Place {
            overridden_by: Some("channel.cliprdr"),
            ..place("Channels", "cliprdr")
        };
        let expected = XRDP
            .replace("\ncliprdr=true", "\ncliprdr=false")
            .replace("channel.cliprdr=true", "channel.cliprdr=false");
        let edited = with_ini(XRDP, Dialect::Xrdp, &channel, &off());
        assert_eq!(edited, expected);
        assert_eq!(with_ini(&edited, Dialect::Xrdp, &channel, &off()), edited);
    }

    #[test]
    fn missing_key_goes_into_its_section_and_missing_section_to_the_end() {
        let edited = with_ini(XRDP, Dialect::Xrdp, &place("channels", "rdpsnd"), &off());
        assert_eq!(
            edited,
            XRDP.replace("rdpdr=false\n", "rdpdr=false\nrdpsnd=false\n")
        );
        let edited = with_ini(
            XRDP,
            Dialect::Xrdp,
            &place("Security", "AllowRootLogin"),
            &off(),
        );
        assert_eq!(
            edited,
            format!("{XRDP}\n[Security]\nAllowRootLogin=false\n")
        );
    }

    #[test]
    fn flat_files_keep_their_way_of_writing() {
        let days = Demand::AtMost(365);
        let defs = "# x\nPASS_MAX_DAYS\t99999\nUMASK\t022\n";
        assert_eq!(
            with_flat(defs, "PASS_MAX_DAYS", &days),
            "# x\nPASS_MAX_DAYS\t365\nUMASK\t022\n"
        );
        assert_eq!(
            with_flat(defs, "PASS_WARN_AGE", &days),
            format!("{defs}PASS_WARN_AGE\t365\n")
        );
        assert_eq!(
            with_flat("# minlen = 8\n", "minlen", &days),
            "# minlen = 8\nminlen = 365\n"
        );
    }
}
