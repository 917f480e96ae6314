//! Azurite, which keeps the blobs.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{DIRECT, KEY, LANDING, SECURE};
use crate::lab::certificates::Certificates;
use crate::lab::network::{Network, Place, addresses};
use crate::lab::run::{Run, cache};

/// The running Azurite. It ends with the lab.
#[derive(Debug)]
pub(in crate::lab) struct Azurite {
    child: Child,
    log: std::path::PathBuf,
}

impl Azurite {
    /// Starts it at its own address; `ready` says when it answers.
    pub(in crate::lab) fn start(
        run: &Run,
        network: &Network,
        certificates: &Certificates,
    ) -> Result<Self> {
        let program = super::azurite_program(&cache());
        ensure!(
            program.exists(),
            "{} is not there: scripts/lab-parts.sh installs it",
            program.display()
        );
        let folder = run.folder().join("azurite");
        fs::create_dir_all(&folder)?;
        let log = folder.join("said.log");
        let said = fs::File::create(&log)?;
        let accounts: Vec<_> = [LANDING, SECURE, DIRECT]
            .iter()
            .map(|account| format!("{account}:{KEY}"))
            .collect();
        let child = network
            .command(Place::Azure, "node")
            .arg(program)
            .args([
                "--blobHost",
                &addresses::STORAGE_DIRECT.to_string(),
                "--blobPort",
                "443",
            ])
            .args([
                "--oauth",
                "basic",
                "--loose",
                "--silent",
                "--disableTelemetry",
            ])
            .arg("--cert")
            .arg(certificates.certificate("server"))
            .arg("--key")
            .arg(certificates.key("server"))
            .arg("--location")
            .arg(&folder)
            .env("AZURITE_ACCOUNTS", accounts.join(";"))
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .context("start Azurite")?;
        Ok(Self { child, log })
    }

    /// Waits until it listens.
    pub(in crate::lab) fn ready(&mut self, network: &Network) -> Result<()> {
        let began = Instant::now();
        loop {
            let listens = network.inside(Place::Azure, || {
                std::net::TcpStream::connect((addresses::STORAGE_DIRECT, 443)).is_ok()
            })?;
            if listens {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            ensure!(
                ended.is_none(),
                "Azurite ended: {}",
                fs::read_to_string(&self.log)?.trim()
            );
            ensure!(
                began.elapsed() < Duration::from_mins(1),
                "Azurite does not listen"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
