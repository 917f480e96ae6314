//! Keeps the lab up and says how to talk to it, until Ctrl-C.
//!
//! With `--vm` it boots the researcher's machine too.

use std::io::{self, Write};

use anyhow::{Result, bail};
use nix::sys::signal::{SigSet, Signal};

use tests::lab::network::{Place, addresses};
use tests::lab::vm::{self, Setup, Vm};
use tests::lab::{Lab, arm, metadata, storage};

fn main() -> Result<()> {
    let with_vm = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--vm") => true,
        Some(other) => bail!("unknown argument `{other}`: there is only `--vm`"),
    };
    // Before any thread starts, so that the signal finds none that would die of it.
    let ends: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .collect();
    ends.thread_block()?;
    let lab = Lab::start()?;
    let machine = with_vm
        .then(|| lab.vm(&Setup::with_agent().unwrap_or_default()))
        .transpose()?;
    describe(&lab, machine.as_ref())?;
    ends.wait()?;
    writeln!(io::stdout(), "\nending")?;
    drop(machine);
    drop(lab);
    Ok(())
}

fn describe(lab: &Lab, machine: Option<&Vm>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let enter = |place| format!("ip netns exec {} bash", lab.network.namespace(place));
    writeln!(out, "The lab is up. Ctrl-C ends it.\n")?;
    writeln!(out, "  runner            {}", enter(Place::Runner))?;
    writeln!(out, "  researcher's net  {}", enter(Place::Vm))?;
    writeln!(
        out,
        "  trust             export SSL_CERT_FILE={}",
        lab.authority().display()
    )?;
    writeln!(
        out,
        "  metadata          http://{}/metadata/instance?api-version=2021-02-01",
        addresses::METADATA
    )?;
    writeln!(
        out,
        "  landing account   {}",
        storage::endpoint(storage::LANDING)
    )?;
    writeln!(
        out,
        "  secure account    {}",
        storage::endpoint(storage::SECURE)
    )?;
    writeln!(
        out,
        "  Azurite itself    {} (key {})",
        storage::endpoint(storage::DIRECT),
        storage::KEY
    )?;
    writeln!(out, "  management        https://management.azure.com")?;
    writeln!(
        out,
        "  Data Factory      /subscriptions/{}/resourceGroups/{}/providers/Microsoft.DataFactory/factories/{} ({})",
        metadata::SUBSCRIPTION,
        metadata::RESOURCE_GROUP,
        arm::data_factory::FACTORY,
        arm::data_factory::PIPELINE
    )?;
    writeln!(
        out,
        "  vault             {}",
        tests::lab::vault::Vault::endpoint()
    )?;
    writeln!(
        out,
        "  log ingestion     {}",
        tests::lab::logs::Logs::endpoint()
    )?;
    match machine {
        Some(machine) => writeln!(
            out,
            "  machine           nsenter --target {} --all (users {} and {}, password {})",
            machine.leader(),
            vm::RESEARCHER,
            vm::OPERATOR,
            vm::PASSWORD
        ),
        None => writeln!(out, "  machine           none: `make lab VM=1` boots one"),
    }
}
