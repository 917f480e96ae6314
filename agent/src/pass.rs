//! One look at the machine, put into a report.

use std::path::PathBuf;

use jiff::Timestamp;
use policies::control::Phase;
use policies::plan::Plan;
use policies::policy::Policy;
use policies::report::{Agent, Finding, PolicyIdentity, Report, StepOutcome, Summary, conform};

use crate::apply::apply;
use crate::cli::PhaseArg;
use crate::exit::Failure;
use crate::host::live::Live;
use crate::host::{Alter, Inspect};
use crate::observe::observe;
use crate::{identity, inventory};

/// A machine, the policy that it is held to, and how far it is.
#[derive(Debug)]
pub(crate) struct Pass<'p> {
    policy: &'p Policy,
    phase: Phase,
    root: PathBuf,
    agent: Agent,
}

impl<'p> Pass<'p> {
    /// Prepares to look at the machine under a root folder.
    pub(crate) fn new(policy: &'p Policy, host: &Live, phase: Phase) -> Result<Self, Failure> {
        let agent = identity::agent()?;
        Ok(Self {
            policy,
            phase,
            root: host.root().to_path_buf(),
            agent,
        })
    }

    /// Looks, and changes nothing.
    pub(crate) fn check(&self, host: &impl Inspect) -> Report {
        let started = Timestamp::now();
        let findings = observe(self.policy, host, started);
        self.report(host, started, findings, Vec::new())
    }

    /// What would be changed, and the findings that say so.
    pub(crate) fn plan(&self, host: &impl Inspect) -> (Plan, Vec<Finding>) {
        let findings = observe(self.policy, host, Timestamp::now());
        (
            Plan::for_findings(self.policy, &findings, self.phase),
            findings,
        )
    }

    /// Changes what deviates, and looks again.
    pub(crate) fn enforce(&self, host: &mut impl Alter) -> Report {
        let started = Timestamp::now();
        let (plan, findings) = self.plan(host);
        if plan.is_empty() {
            return self.report(host, started, findings, Vec::new());
        }
        let steps = apply(&plan, host);
        let findings = observe(self.policy, host, Timestamp::now());
        self.report(host, started, findings, steps)
    }

    fn report(
        &self,
        host: &impl Inspect,
        started: Timestamp,
        findings: Vec<Finding>,
        steps: Vec<StepOutcome>,
    ) -> Report {
        Report {
            schema: 1,
            // A report gets its place in the chain when it is kept.
            sequence: 0,
            previous: None,
            challenge: identity::challenge(host),
            agent: self.agent.clone(),
            policy: PolicyIdentity {
                name: self.policy.name.clone(),
                digest: self.policy.digest(),
            },
            machine: identity::machine(host, &self.root),
            phase: self.phase,
            started,
            conforms: conform(&findings, self.phase),
            summary: Summary::of(&findings, self.phase),
            findings,
            steps,
            facts: inventory::facts(host),
            finished: Timestamp::now(),
        }
    }
}

/// How far the machine is: as was said, or else an image until it runs.
pub(crate) fn phase(asked: Option<PhaseArg>, host: &impl Inspect) -> Phase {
    match asked {
        Some(phase) => phase.into(),
        None if host.is_running() => Phase::Vm,
        None => Phase::Image,
    }
}
