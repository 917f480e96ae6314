//! The packet filter.

use std::collections::BTreeMap;

use policies::check::AccountsFacts;
use policies::check::firewall::{FirewallFacts, RULES_PATH};
use policies::check::seen::Seen;

use super::view::View;
use super::{seen, units};
use crate::host::{Inspect, Question};

pub(super) fn facts(view: &View<'_, impl Inspect>) -> FirewallFacts {
    let loader = units::loader().map(|name| units::facts(&name, view).persisted);
    FirewallFacts {
        uids: uids(view.accounts()),
        effective: effective(view.host),
        persisted: seen(view.host.text(RULES_PATH)),
        loader: loader.unwrap_or(Seen::Absent),
    }
}

/// The numbers of the machine's accounts.
pub(crate) fn uids(facts: &AccountsFacts) -> Seen<BTreeMap<String, u32>> {
    facts.accounts.as_ref().map(|accounts| {
        let number =
            |account: &policies::check::accounts::Account| (account.name.clone(), account.uid);
        accounts.iter().map(number).collect()
    })
}

/// What the kernel has in the agent's table.
pub(crate) fn effective(host: &impl Inspect) -> Seen<String> {
    if !host.is_running() {
        return Seen::NotRunning;
    }
    match host.ask(&Question::Firewall) {
        Ok(answer) if answer.is_good() => Seen::Found(answer.out),
        // The only way in which nft says that there is no such table.
        Ok(answer) if answer.complaint.contains("No such file or directory") => Seen::Absent,
        Ok(answer) => Seen::Unreadable(format!("nft: {}", answer.complaint)),
        Err(error) => Seen::Unreadable(error.chain()),
    }
}
