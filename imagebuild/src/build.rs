//! The way of an image from its lock to its final name.
//!
//! Every step leaves its result in the work folder together with a record of it. A build that was
//! interrupted takes up what is whole and does the rest; nothing gets a final name before the gate has
//! passed it.

use std::{fs, path::Path};

use policies::{
    digest::Digest,
    manifest::{Binary, Manifest},
    report::Report,
};

use crate::{
    cancel::Cancel,
    custody::{self, Custody},
    debian,
    engine::{
        base::{self, BaseSpec},
        packer::{self, Job},
    },
    exit::{Exit, Failure, Mismatch},
    files, gate,
    import::Staged,
    judge::{self, Judged},
    lock::{Inputs, Lock},
    progress::Progress,
    qemu::{self, Accelerator},
    recipe::Located,
    sbom,
    sign::Key,
    vhd,
};

/// Where the parts of a build lie.
mod place;
/// What was done already.
mod state;

pub use self::{
    place::{Busy, Place, Work},
    state::{Result as StepResult, State, Step},
};

/// A build that is under way.
#[derive(Debug)]
pub struct Build<'a> {
    /// The recipe.
    pub located: &'a Located,
    /// The agent and the policy.
    pub inputs: &'a Inputs<'a>,
    /// Everything that goes into the image.
    pub lock: &'a Lock,
    /// The binaries that came through the import flow.
    pub staged: &'a [Staged],
    /// The key that the custody statement is signed with.
    pub key: &'a Key,
    /// Where packages and base disks are kept.
    pub cache: &'a Path,
    /// Where the parts of this build lie.
    pub place: &'a Place,
    /// The wish to stop.
    pub cancel: &'a Cancel,
}

/// What came of a build.
#[derive(Debug)]
pub enum Outcome {
    /// The image has its final name. The report of its boot comes first.
    Passed(Vec<Report>),
    /// The image does not conform and is kept apart.
    Refused(Vec<Report>),
    /// A report is not one of this image: it is kept apart.
    Untrusted(Mismatch),
}

impl Build<'_> {
    /// Does every step that is not done.
    pub fn run(&self, progress: &dyn Progress) -> Result<Outcome, Failure> {
        let work = self.place.enter(self.located)?;
        let mut state = State::load(&work, &self.lock.digest()?)?;
        if state.is_new() {
            work.clear()?;
        }
        files::make_folder(&work.result())?;
        self.lock.save(&work.result().join(custody::LOCK))?;
        let accelerator = qemu::accelerator(self.cache);
        self.engine(&work, &mut state, accelerator, progress)?;
        self.convert(&work, &mut state, progress)?;
        let (challenge, line) = self.gate(&work, accelerator, progress)?;
        progress.phase("custody", None);
        self.finish(work, &state, &line, &challenge)
    }

    /// Base disk and engine: from the lock to a disk.
    fn engine(
        &self,
        work: &Work,
        state: &mut State,
        accelerator: Accelerator,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        if state.has(Step::Convert)? {
            return Ok(());
        }
        let recipe = &self.located.recipe;
        let suite = recipe.base.suite.as_str();
        progress.phase("fetch packages", None);
        debian::fetch(
            suite,
            &self.lock.base.packages,
            self.cache,
            progress,
            self.cancel,
        )?;
        progress.phase("make the base disk", None);
        let spec = BaseSpec {
            suite: suite.to_owned(),
            disk_size: recipe.base.disk_size.count(),
            users: recipe.users.iter().map(user).collect(),
        };
        let base = base::make(
            &spec,
            &self.lock.base.packages,
            self.cache,
            progress,
            self.cancel,
        )?;
        // The engine's disk is a layer over the base disk: without that it is worth nothing.
        if state.has(Step::Engine)? {
            return Ok(());
        }
        progress.phase("build the image", None);
        let policy_dir = work.fresh("policy")?;
        self.inputs.policy.write(&policy_dir)?;
        let staged = work.fresh("staged")?;
        self.write_staged(&staged)?;
        let log = work.result().join(custody::LOG);
        let job = Job {
            base,
            agent_deb: self.inputs.agent.path.clone(),
            policy_dir,
            staged,
            scripts: recipe
                .scripts
                .iter()
                .map(|script| self.located.at(&script.path))
                .collect(),
            memory: recipe.engine.memory.count(),
            cpus: recipe.engine.cpus.into(),
            accelerator,
            work: work.fresh("engine")?,
        };
        let disk = packer::build(&job, &log, progress, self.cancel)?;
        let sealed = files::folder_of(&disk).join(custody::SEALED_REPORT);
        if sealed.is_file() {
            let kept = work.result().join(custody::SEALED_REPORT);
            fs::copy(&sealed, &kept).map_err(files::Error::write(&kept))?;
        }
        state.done(Step::Engine, &disk)?;
        Ok(())
    }

    /// Lays out the staged binaries as the agent expects them.
    fn write_staged(&self, folder: &Path) -> Result<(), Failure> {
        let mut binaries = Vec::new();
        for (binary, staged) in self.located.recipe.binaries.iter().zip(self.staged) {
            let source = binary
                .file()
                .map_err(|error| Failure::new(Exit::BadInput, error.to_string()))?;
            let path = folder.join(source.as_str());
            fs::copy(&staged.path, &path).map_err(files::Error::write(&path))?;
            let (found, size) = files::digest(&path)?;
            Mismatch::check(
                format!("copy of binary `{}`", binary.name),
                &staged.sha256,
                &found,
            )?;
            binaries.push(Binary {
                name: binary.name.to_string(),
                source,
                size,
                sha256: found,
                receipt: staged.receipt_digest.clone(),
                install: binary.install.clone(),
            });
        }
        let manifest = serde_json::to_vec_pretty(&Manifest {
            schema: 1,
            binaries,
        });
        let manifest = manifest.map_err(custody::Error::from)?;
        Ok(files::write(
            &folder.join("manifest.json"),
            &manifest,
            0o644,
        )?)
    }

    /// From the engine's disk to the VHD that Azure takes.
    fn convert(
        &self,
        work: &Work,
        state: &mut State,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        if state.has(Step::Convert)? {
            return Ok(());
        }
        progress.phase("convert to VHD", None);
        let disk = state.path(Step::Engine)?;
        let vhd = work.result().join(custody::VHD);
        files::remove(&vhd)?;
        vhd::write(&disk, &vhd, self.identity()?, self.cancel)?;
        state.done(Step::Convert, &vhd)?;
        // The engine's disk is as large as the image and is needed no more.
        Ok(files::remove(&work.path("engine"))?)
    }

    /// What makes the VHD this VHD: the same lock gives the same.
    fn identity(&self) -> Result<vhd::Identity, Failure> {
        let digest = self.lock.digest()?;
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, digest.as_str().as_bytes());
        // Azure shows the time to nobody; VHDs count from 2000-01-01, which is what zero would mean.
        Ok(vhd::Identity {
            id,
            time: 946_684_800,
        })
    }

    /// Boots the image. Returns the challenge and the line that came back.
    fn gate(
        &self,
        work: &Work,
        accelerator: Accelerator,
        progress: &dyn Progress,
    ) -> Result<(String, String), Failure> {
        progress.phase("boot and check", None);
        let recipe = &self.located.recipe;
        let challenge = uuid::Uuid::new_v4().simple().to_string();
        let boot = gate::Boot {
            image: &work.result().join(custody::VHD),
            challenge: &challenge,
            timeout: recipe.gate.timeout.into(),
            memory: recipe.engine.memory.count(),
            cpus: recipe.engine.cpus.into(),
            accelerator,
            serial_log: &work.path("serial.log"),
        };
        let line = gate::boot(&boot, progress, self.cancel)?;
        files::write(&work.result().join(custody::REPORT), line.as_bytes(), 0o644)?;
        Ok((challenge, line))
    }

    /// Judges the report of the boot, and that of the sealed disk where the engine has made one.
    fn judge(&self, result: &Path, line: &str, challenge: &str) -> Result<Vec<Judged>, Failure> {
        let (policy, agent) = (&self.lock.policy.digest, &self.lock.agent.binary);
        let expected = judge::Expected {
            challenge: Some(challenge),
            policy,
            agent: Some(agent),
        };
        let mut judged = vec![judge::judge(line, &expected)?];
        let sealed = result.join(custody::SEALED_REPORT);
        if sealed.is_file() {
            let text = files::text(&sealed, MOST_REPORT_BYTES)?;
            judged.push(judge::sealed(&text, policy, agent)?);
        }
        Ok(judged)
    }

    /// Writes the evidence and gives the image its name: the final one, or that of a rejected one.
    fn finish(
        &self,
        work: Work,
        state: &State,
        line: &str,
        challenge: &str,
    ) -> Result<Outcome, Failure> {
        let result = work.result();
        work.keep_log(&result.join(custody::LOG))?;
        let vhd = state.result(Step::Convert)?;
        sbom::write(&result, self.lock, self.staged, &self.located.recipe)?;
        let judged = match self.judge(&result, line, challenge) {
            Ok(judged) => judged,
            Err(failure) => {
                let mismatch = failure.error.downcast::<Mismatch>();
                let mismatch = mismatch.map_err(|error| Failure { error, ..failure })?;
                work.reject(self.place)?;
                return Ok(Outcome::Untrusted(*mismatch));
            }
        };
        let conforms = judged.iter().all(|judged| judged.conforms);
        let reports: Vec<_> = judged.into_iter().map(|judged| judged.report).collect();
        let [booted, ..] = reports.as_slice() else {
            return Err(Failure::new(
                Exit::Unable,
                "failed to judge the image: there is no report",
            ));
        };
        let page = policies::html::render(booted);
        files::write(&result.join(custody::PAGE), page.as_bytes(), 0o644)?;
        if !conforms {
            work.reject(self.place)?;
            return Ok(Outcome::Refused(reports));
        }
        let custody = Custody::collect(&result, self.lock, self.staged, &vhd, booted)?;
        custody.sign(&result, &vhd.sha256, self.key)?;
        work.publish(self.place, &vhd)?;
        Ok(Outcome::Passed(reports))
    }
}

fn user(user: &crate::recipe::User) -> base::User {
    base::User {
        name: user.name.to_string(),
        groups: user.groups.iter().map(ToString::to_string).collect(),
    }
}

/// Says whether the final folder holds an image of this lock, untouched since it was published.
pub fn is_done(place: &Place, lock: &Digest, key: &Key) -> Result<bool, Failure> {
    let folder = place.image();
    if !folder.join(custody::STATEMENT).is_file() {
        return Ok(false);
    }
    let Ok(custody) = Custody::open(&folder, &key.public()) else {
        return Ok(false);
    };
    if custody.statement.predicate.lock != *lock {
        return Ok(false);
    }
    let vhd = folder.join(custody::VHD);
    let untouched = match (place.published()?, state::Look::at(&vhd).ok()) {
        (Some(then), Some(now)) => then == now,
        // Nobody knows how it looked: it has to be read.
        (None, Some(_)) => files::digest(&vhd)?.0 == *custody.statement.about("the image")?,
        (_, None) => false,
    };
    Ok(untouched
        && custody
            .small_files(&folder)
            .iter()
            .all(|(_, outcome)| outcome.is_ok()))
}

/// No report is this long.
const MOST_REPORT_BYTES: u64 = 16 << 20;
