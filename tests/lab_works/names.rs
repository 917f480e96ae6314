//! The resolver and the network.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use tests::lab::names::Answers;
use tests::lab::network::{Place, addresses};

const SECURE: &str = "stsecure.blob.core.windows.net";

fn resolve(name: &str) -> Vec<IpAddr> {
    let found = (name, 443).to_socket_addrs();
    found
        .map(|all| all.map(|address| address.ip()).collect())
        .unwrap_or_default()
}

#[test]
fn private_names_are_answered_as_told() {
    let Some(lab) = super::lab() else { return };
    let found = || lab.inside(Place::Runner, || resolve(SECURE)).unwrap();

    assert_eq!(found(), [IpAddr::from(addresses::SECURE)]);
    lab.names.answer(Answers::Public).unwrap();
    assert_eq!(found(), [IpAddr::from(addresses::SECURE_PUBLIC)]);
    lab.names.answer(Answers::NoSuchName).unwrap();
    assert!(found().is_empty());
    assert!(lab.names.asked().iter().any(|name| name == SECURE));
}

#[test]
fn nothing_beyond_the_lab_resolves_or_answers() {
    let Some(lab) = super::lab() else { return };
    let found = lab.inside(Place::Vm, || resolve("example.org")).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let routes = lab
        .command(Place::Azure, "ip")
        .args(["route", "show", "default"])
        .output()
        .unwrap();
    assert!(routes.stdout.is_empty(), "the lab has a way out");
}

#[test]
fn answers_are_late_on_demand() {
    let Some(lab) = super::lab() else { return };
    lab.names.slow(Some(Duration::from_millis(700)));
    let began = Instant::now();

    let found = lab
        .inside(Place::Vm, || resolve("management.azure.com"))
        .unwrap();

    assert_eq!(found, [IpAddr::from(addresses::MANAGEMENT)]);
    assert!(began.elapsed() >= Duration::from_millis(700));
}

#[test]
fn privatelink_chain_is_visible() {
    let Some(lab) = super::lab() else { return };
    let found = lab
        .command(Place::Vm, "getent")
        .args(["hosts", SECURE])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(
        text.contains("stsecure.privatelink.blob.core.windows.net"),
        "{text}"
    );
}
