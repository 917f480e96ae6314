//! Looks again and again, for as long as the machine runs.
//!
//! A pass runs on the loop's own thread, so a pass that hangs stops the watchdog's pings, and systemd
//! starts the agent anew. What keeps researchers in is kernel state; it does not need the agent.

use std::time::Duration;

use policies::control::Phase;
use policies::policy::Policy;
use policies::report::Report;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior};

use crate::cli::Run;
use crate::daemon::watch::Watch;
use crate::exit::{Exit, Failure};
use crate::host::chain;
use crate::host::live::Live;
use crate::pass::Pass;
use crate::settings::Settings;
use crate::store::Store;

/// Notices changes of the policy's files.
mod watch;

/// Runs until it is told to stop.
pub(crate) fn run(args: &Run) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(Failure::unable)?.block_on(serve(args))
}

async fn serve(args: &Run) -> Result<Exit, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::unable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::unable)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::unable)?;
    let mut keeper = Keeper::start(args)?;
    let (mut watch, mut changes) = Watch::new(keeper.settings.folders());

    watch.renew();
    if !keeper.pass() {
        return Err(Failure::unable("the first pass made no report"));
    }
    tell(&[NotifyState::Ready]);
    let mut next = Instant::now() + args.interval;
    let mut pings = tokio::time::interval(ping_interval());
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = pings.tick() => {
                tell(&[NotifyState::Watchdog]);
                continue;
            }
            _ = hangup.recv() => tracing::info!("asked to look now"),
            Some(()) = changes.recv() => {
                // Whoever writes several files gets the time to finish.
                next = next.min(Instant::now() + SETTLE);
                continue;
            }
            () = tokio::time::sleep_until(next) => {}
        }
        watch.renew();
        keeper.pass();
        tell(&[NotifyState::Watchdog]);
        next = Instant::now() + args.interval;
    }
    tell(&[NotifyState::Stopping]);
    Ok(Exit::Conforms)
}

/// What the loop keeps between passes.
struct Keeper {
    settings: Settings,
    /// The last policy that was good, and what is wrong with the one on disk now, if anything is.
    policy: Policy,
    policy_error: Option<String>,
    store: Store,
    store_error: Option<String>,
    host: Live,
    is_enforcing: bool,
}

impl Keeper {
    fn start(args: &Run) -> Result<Self, Failure> {
        let settings = Settings::of(&args.target);
        // Without any good policy there is nothing to judge by; silence is then seen as deviation.
        let policy = settings.load()?.policy;
        let store = Store::open(&args.target.root, args.keep.into()).map_err(Failure::unable)?;
        Ok(Self {
            settings,
            policy,
            policy_error: None,
            store,
            store_error: None,
            host: Live::at(&args.target.root).map_err(Failure::unable)?,
            is_enforcing: args.enforce,
        })
    }

    /// Looks once, and keeps the report. Says whether there is one.
    fn pass(&mut self) -> bool {
        self.reload();
        let mut report = match self.look() {
            Ok(report) => report,
            Err(failure) => {
                tracing::error!(error = %chain(&*failure.error), "no report could be made");
                status("no report could be made: see the journal");
                return false;
            }
        };
        for (name, error) in [
            ("policy-error", &self.policy_error),
            ("store-error", &self.store_error),
        ] {
            if let Some(error) = error {
                report.facts.insert(name.to_owned(), vec![error.clone()]);
                report.conforms = false;
            }
        }
        self.store_error = self.store.add(&mut report).err().map(|error| chain(&error));
        self.say(&report);
        true
    }

    fn look(&mut self) -> Result<Report, Failure> {
        let pass = Pass::new(&self.policy, &self.host, Phase::Vm)?;
        Ok(if self.is_enforcing {
            pass.enforce(&mut self.host)
        } else {
            pass.check(&self.host)
        })
    }

    /// Takes the policy as it is on disk; a bad one leaves the last good one in force.
    fn reload(&mut self) {
        match self.settings.load() {
            Ok(loaded) => {
                if loaded.policy != self.policy {
                    tracing::info!(
                        digest = loaded.policy.digest().short(),
                        "taking the new policy"
                    );
                }
                self.policy = loaded.policy;
                self.policy_error = None;
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "keeping the last good policy");
                self.policy_error = Some(error);
            }
        }
    }

    fn say(&self, report: &Report) {
        let word = if report.conforms {
            "conforms"
        } else {
            "deviates"
        };
        let summary = report.summary;
        let mut told = format!(
            "{word}: {} fail, {} unknown, {} waived",
            summary.fail, summary.unknown, summary.waived
        );
        if let Some(error) = &self.store_error {
            tracing::error!(error, "the report cannot be kept");
            told = format!("{told}; the report cannot be kept: {error}");
        }
        if self.policy_error.is_some() {
            told += "; the policy on disk is not valid";
        }
        tracing::info!(sequence = report.sequence, "{told}");
        status(&told);
    }
}

/// How often the watchdog is pinged: twice in its time, or seldom when nobody watches.
fn ping_interval() -> Duration {
    sd_notify::watchdog_enabled()
        .map_or(Duration::from_mins(1), |time| time / 2)
        .max(Duration::from_millis(100))
}

/// How long a writer of several files has to finish.
const SETTLE: Duration = Duration::from_millis(300);

fn status(text: &str) {
    // A line of its own would be another message to systemd.
    tell(&[NotifyState::Status(&text.replace(char::is_control, " "))]);
}

/// Tells systemd. Without systemd nobody listens, and that is fine.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd was not told");
    }
}
