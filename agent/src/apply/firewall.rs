//! The packet filter.

use policies::check::firewall::{Firewall, LOADER, RULES_PATH, Ruleset};
use policies::check::seen::Seen;
use policies::check::unit::UnitFile;
use policies::plan::Change;

use super::{Error, put, units};
use crate::host::{Alter, Order, Question};
use crate::observe::{accounts, firewall, units as observed};

/// Writes the rules, loads them, and has every boot load them.
pub(super) fn load(wanted: &Firewall, host: &mut impl Alter) -> Result<Change, Error> {
    let uids = match firewall::uids(&accounts::read(host)) {
        Seen::Found(uids) => uids,
        Seen::Unreadable(cause) => return Err(Error::NotKnown { cause }),
        Seen::Absent | Seen::NotRunning => {
            return Err(Error::not_possible("the accounts are not known"));
        }
    };
    let rules = Ruleset::of(wanted, &uids);
    let text = rules.text();
    if host.is_running() {
        let answer = host.ask(&Question::FirewallTakes(text.clone()))?;
        if !answer.is_good() {
            return Err(Error::Refused {
                program: "nft",
                path: RULES_PATH,
                complaint: answer.complaint,
            });
        }
    }
    let written = put(RULES_PATH, &text, 0o600, host)?;
    if !host.is_running() {
        return Ok(written);
    }
    Ok(written
        .and(load_now(&rules, host)?)
        .and(load_at_boot(host)?))
}

fn load_now(rules: &Ruleset, host: &mut impl Alter) -> Result<Change, Error> {
    match firewall::effective(host) {
        Seen::Found(listing) if rules.is_listed(&listing) => Ok(Change::Unchanged),
        // Also when it could not be found out: loading the rules once more does no harm.
        Seen::Absent | Seen::Found(_) | Seen::NotRunning | Seen::Unreadable(_) => {
            host.order(&Order::LoadFirewall)?;
            Ok(Change::Made)
        }
    }
}

fn load_at_boot(host: &mut impl Alter) -> Result<Change, Error> {
    let missing = || Error::not_possible(format!("there is no `{LOADER}`"));
    let name = observed::loader().ok_or_else(missing)?;
    match units::show(&name, host)?.file {
        Some(UnitFile::Enabled) => Ok(Change::Unchanged),
        Some(UnitFile::Disabled | UnitFile::Static) => {
            host.order(&Order::Enable(name))?;
            Ok(Change::Made)
        }
        Some(UnitFile::Masked) => {
            host.order(&Order::Unmask(name.clone()))?;
            host.order(&Order::Enable(name))?;
            Ok(Change::Made)
        }
        None => Err(missing()),
    }
}
