//! Units of systemd.

use policies::check::seen::Seen;
use policies::check::unit::{UnitFile, UnitState, UnitWant};
use policies::names::UnitName;
use policies::plan::Change;

use super::Error;
use crate::host::{Alter, Order};
use crate::observe::layers;
use crate::observe::units::{self, CONFIGURED, Shown, UnitTree};

/// Starts, stops or masks a unit, now and for the next boot.
pub(super) fn set(name: &UnitName, want: UnitWant, host: &mut impl Alter) -> Result<Change, Error> {
    if !host.is_running() {
        return set_in_image(name, want, host);
    }
    let shown = show(name, host)?;
    if shown.file.is_none() && want == UnitWant::Running {
        return Err(Error::not_possible(format!("there is no `{name}`")));
    }
    let orders = orders(name, want, shown);
    for order in &orders {
        host.order(order)?;
    }
    Ok(if orders.is_empty() {
        Change::Unchanged
    } else {
        Change::Made
    })
}

pub(super) fn show(name: &UnitName, host: &impl Alter) -> Result<Shown, Error> {
    let not_known = |cause| Err(Error::NotKnown { cause });
    match units::ask(host, std::slice::from_ref(name)) {
        Seen::Found(all) => match all.get(name) {
            Some(shown) => Ok(*shown),
            None => not_known(format!("systemctl says nothing about {name}")),
        },
        Seen::Unreadable(cause) => not_known(cause),
        Seen::Absent | Seen::NotRunning => not_known("the machine is not running".to_owned()),
    }
}

/// What has to be ordered.
fn orders(name: &UnitName, want: UnitWant, shown: Shown) -> Vec<Order> {
    let runs = matches!(
        shown.state,
        Some(UnitState::Active | UnitState::Activating | UnitState::Stopping)
    );
    let mut orders = Vec::new();
    let mut add = |condition: bool, order: fn(UnitName) -> Order| {
        if condition {
            orders.push(order(name.clone()));
        }
    };
    match want {
        UnitWant::Masked => {
            add(runs, Order::Stop);
            add(shown.file != Some(UnitFile::Masked), Order::Mask);
        }
        UnitWant::Running => {
            let is_masked = shown.file == Some(UnitFile::Masked);
            add(is_masked, Order::Unmask);
            add(
                is_masked || shown.file == Some(UnitFile::Disabled),
                Order::Enable,
            );
            add(!runs, Order::Start);
        }
        UnitWant::Stopped => {
            add(runs, Order::Stop);
            add(shown.file == Some(UnitFile::Enabled), Order::Disable);
        }
    }
    orders
}

/// An image has no service manager that could be told; masking is a link.
fn set_in_image(name: &UnitName, want: UnitWant, host: &mut impl Alter) -> Result<Change, Error> {
    let file = UnitTree::read(host)?.file(name.as_str(), host)?;
    if file.is_some_and(|file| want.suits(file)) {
        return Ok(Change::Unchanged);
    }
    let link = format!("{CONFIGURED}/{name}");
    match want {
        UnitWant::Masked if layers::is_masked(host, &link)? => Ok(Change::Unchanged),
        UnitWant::Masked if host.stat(&link)?.is_none() => {
            host.link(&link, "/dev/null")?;
            Ok(Change::Made)
        }
        UnitWant::Masked => Err(Error::not_possible(format!("`{link}` is in the way"))),
        UnitWant::Running | UnitWant::Stopped => {
            Err(Error::not_possible("needs a running machine"))
        }
    }
}
