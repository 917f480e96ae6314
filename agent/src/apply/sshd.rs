//! The SSH daemon. All options stand in one file of the agent's, which is read before everything else:
//! the first value wins.

use std::collections::BTreeMap;

use policies::check::demand::{Comparison, Demand};
use policies::check::seen::Seen;
use policies::check::sshd::SshdOption;
use policies::check::unit::UnitState;
use policies::control::Phase;
use policies::names::{Mode, UnitName};
use policies::plan::Change;

use super::{Error, OWN, put};
use crate::host::{Alter, Order, Question};
use crate::observe::units;

/// The agent's own options.
const FILE: &str = "/etc/ssh/sshd_config.d/10-dsvm-agent.conf";

/// The daemon's file.
const MAIN: &str = "/etc/ssh/sshd_config";

/// What brings the agent's options in. Debian and Ubuntu have it on top of the daemon's file.
const INCLUDE: &str = "Include /etc/ssh/sshd_config.d/*.conf";

/// Sets an option for everybody.
pub(super) fn set(
    option: &SshdOption,
    demand: &Demand,
    host: &mut impl Alter,
) -> Result<Change, Error> {
    let old = host.text(FILE)?;
    let mut options = parse(old.as_deref().unwrap_or_default());
    let is_set = options
        .get(option)
        .is_some_and(|value| demand.holds(value, Comparison::Exact));
    if !is_set {
        options.insert(option.clone(), value(option, demand));
    }
    let text = render(&options);
    if host.is_running() {
        refused(&Question::SshdTakes(text.clone()), FILE, host)?;
    }
    let included = include(host)?;
    let change = put(FILE, &text, 0o600, host)?;
    if change == Change::Made && host.is_running() {
        // The whole can be wrong where the part was right.
        if let Err(error) = refused(&Question::SshdStarts, FILE, host) {
            match old {
                Some(old) => host.write(FILE, old.as_bytes(), Mode::from_bits(0o600))?,
                None => host.remove(FILE)?,
            }
            return Err(error);
        }
    }
    Ok(included.and(change))
}

/// Has a running daemon read its files anew; none when nobody needs it. While an image is made nobody
/// does, and the maker's own connection must not break.
pub(super) fn reload(phase: Phase, host: &mut impl Alter) -> Option<Result<Change, Error>> {
    if phase == Phase::Image || !host.is_running() {
        return None;
    }
    let name: UnitName = "ssh.service".parse().ok()?;
    match units::ask(host, std::slice::from_ref(&name)) {
        Seen::Found(shown) => {
            let state = shown.get(&name).and_then(|shown| shown.state);
            (state == Some(UnitState::Active)).then(|| {
                host.order(&Order::Reload(name))?;
                Ok(Change::Made)
            })
        }
        Seen::Unreadable(cause) => Some(Err(Error::NotKnown { cause })),
        Seen::Absent | Seen::NotRunning => None,
    }
}

/// An error when the daemon does not take what it is asked about.
fn refused(question: &Question, path: &'static str, host: &impl Alter) -> Result<(), Error> {
    let answer = host.ask(question)?;
    if answer.is_good() {
        return Ok(());
    }
    Err(Error::Refused {
        program: "sshd",
        path,
        complaint: answer.complaint,
    })
}

fn value(option: &SshdOption, demand: &Demand) -> String {
    let value = demand.value();
    let (from, to) = if option.takes_commas() {
        (' ', ",")
    } else {
        (',', " ")
    };
    match demand {
        Demand::Includes(_) | Demand::SubsetOf(_) => value.replace(from, to),
        _ => value,
    }
}

/// The options of the agent's own file, from before its `Match` block.
fn parse(text: &str) -> BTreeMap<SshdOption, String> {
    text.lines()
        .take_while(|line| !line.starts_with("Match"))
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned().try_into().ok()?, value.to_owned()))
        })
        .collect()
}

/// Each option, and once more for every login: in `Match` blocks, too, the first value wins, and one that
/// comes later in another file would otherwise win over those before it.
fn render(options: &BTreeMap<SshdOption, String>) -> String {
    let line = |(option, value): (&SshdOption, &String)| format!("{option} {value}\n");
    let all: String = options.iter().map(line).collect();
    let per_login = options.iter().filter(|(option, _)| option.is_per_login());
    let per_login: String = per_login.map(line).collect();
    let block = if per_login.is_empty() {
        String::new()
    } else {
        format!("Match all\n{per_login}")
    };
    format!("{OWN}\n{all}{block}")
}

/// Brings the agent's options in before everything else.
fn include(host: &mut impl Alter) -> Result<Change, Error> {
    let text = host.text(MAIN)?.unwrap_or_default();
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let is_included = first.is_some_and(|line| {
        line.split_whitespace()
            .map(str::to_ascii_lowercase)
            .eq(INCLUDE.split_whitespace().map(str::to_ascii_lowercase))
    });
    if is_included {
        return Ok(Change::Unchanged);
    }
    put(MAIN, &format!("{INCLUDE}\n{text}"), 0o600, host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_once_for_all_and_once_for_every_login() {
        let options = BTreeMap::from([
            (
                "PermitRootLogin".to_owned().try_into().unwrap(),
                "no".to_owned(),
            ),
            (
                "Ciphers".to_owned().try_into().unwrap(),
                "aes256-ctr".to_owned(),
            ),
        ]);
        let text = render(&options);
        assert_eq!(
            text,
            format!(
                "{OWN}\nciphers aes256-ctr\npermitrootlogin no\nMatch all\npermitrootlogin no\n"
            )
        );
        assert_eq!(parse(&text), options);
    }
}
