//! The SSH daemon: asked once for each login that matters, `Match` blocks included.

use std::collections::{BTreeMap, BTreeSet};

use policies::check::Check;
use policies::check::seen::Seen;
use policies::check::sshd::{Sshd, SshdAnswer, SshdFacts, SshdUsers};

use super::view::View;
use crate::host::{Inspect, Question};

/// The daemon's options for one login: for each name the values of its lines.
pub(super) type Options = BTreeMap<String, Vec<String>>;

/// Somebody who is neither root nor a researcher.
const SOMEBODY: &str = "nobody";

/// So many researchers are asked about at most; with more, the answer is not known.
const MOST_RESEARCHERS: usize = 64;

/// The logins that a check is about.
fn logins(users: SshdUsers, view: &View<'_, impl Inspect>) -> Result<BTreeSet<String>, String> {
    let researchers = match view.researchers() {
        Seen::Found(people) => people.accounts.clone(),
        Seen::Unreadable(cause) => return Err(cause.clone()),
        Seen::Absent | Seen::NotRunning => Vec::new(),
    };
    if researchers.len() > MOST_RESEARCHERS {
        return Err(format!(
            "more than {MOST_RESEARCHERS} researchers to ask sshd about"
        ));
    }
    let mut logins: BTreeSet<String> = researchers.into_iter().collect();
    match users {
        SshdUsers::Everyone => logins.extend(["root", SOMEBODY].map(str::to_owned)),
        SshdUsers::Researchers if logins.is_empty() => {
            logins.insert(SOMEBODY.to_owned());
        }
        SshdUsers::Researchers => {}
    }
    Ok(logins)
}

/// Asks for every login that some control of the policy is about.
pub(super) fn ask(view: &View<'_, impl Inspect>) -> BTreeMap<String, Seen<Options>> {
    let mut all = BTreeSet::new();
    for control in &view.policy.controls {
        if let Check::Sshd(check) = &control.check {
            all.extend(logins(check.users, view).unwrap_or_default());
        }
    }
    let answer = |login: String| {
        let options = ask_for(&login, view.host);
        (login, options)
    };
    all.into_iter().map(answer).collect()
}

fn ask_for(login: &str, host: &impl Inspect) -> Seen<Options> {
    match host.ask(&Question::Sshd(login.to_owned())) {
        Ok(answer) if answer.is_good() => Seen::Found(parse(&answer.out)),
        Ok(answer) => Seen::Unreadable(format!("sshd -T: {}", answer.complaint)),
        Err(error) if error.is_missing_tool() => Seen::Absent,
        Err(error) => Seen::Unreadable(error.chain()),
    }
}

pub(super) fn parse(text: &str) -> Options {
    let mut options = Options::new();
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        let values = options.entry(name.to_ascii_lowercase()).or_default();
        values.push(value.trim().to_owned());
    }
    options
}

pub(super) fn facts(check: &Sshd, view: &View<'_, impl Inspect>) -> SshdFacts {
    if !view.host.is_running() {
        return SshdFacts {
            answers: Seen::NotRunning,
        };
    }
    let answers = match logins(check.users, view) {
        Ok(logins) => answers(check, &logins, view.sshd()),
        Err(cause) => Seen::Unreadable(cause),
    };
    SshdFacts { answers }
}

fn answers(
    check: &Sshd,
    logins: &BTreeSet<String>,
    all: &BTreeMap<String, Seen<Options>>,
) -> Seen<Vec<SshdAnswer>> {
    let mut answers = Vec::new();
    for login in logins {
        let values = match all.get(login) {
            Some(Seen::Absent) => return Seen::Absent,
            Some(Seen::Found(options)) => match options.get(check.option.as_str()) {
                Some(values) => Seen::Found(values.clone()),
                None => Seen::Absent,
            },
            Some(Seen::Unreadable(cause)) => Seen::Unreadable(cause.clone()),
            Some(Seen::NotRunning) | None => {
                Seen::Unreadable(format!("sshd was not asked about {login}"))
            }
        };
        answers.push(SshdAnswer {
            question: format!("sshd -T -C user={login}"),
            values,
        });
    }
    Seen::Found(answers)
}
