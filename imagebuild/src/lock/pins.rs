use std::path::Path;

use super::{Agent, Base, Binary, File, Lock, Policy};
use crate::{
    agent, debian, engine,
    exit::Failure,
    files,
    import::{self, Flow},
    policy::{self, Loaded},
    recipe::{Located, Recipe},
};

/// What an image is made of, as it lies on disk now.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The recipe.
    pub located: &'a Located,
    /// The agent's package.
    pub agent: agent::Package,
    /// The policy.
    pub policy: Loaded,
}

/// A lock without its packages, which only a package archive can tell.
#[derive(Clone, Debug)]
pub struct Pinned(Lock);

impl<'a> Inputs<'a> {
    /// Reads what the recipe names.
    pub fn read(located: &'a Located, agent: agent::Package) -> Result<Self, policy::Error> {
        let own = located.at(&located.recipe.policy);
        let shipped = agent
            .shipped()
            .join(format!("{}.toml", located.recipe.policy));
        let path = if !own.exists() && shipped.is_file() {
            shipped
        } else {
            own
        };
        let policy = policy::load(&path, &agent.shipped())?;
        Ok(Self {
            located,
            agent,
            policy,
        })
    }

    /// Pins everything but the packages. `previous` tells what cannot be seen any more, such as a binary
    /// whose owner's file is gone.
    pub fn pin(&self, flow: &Flow<'_>, previous: Option<&Lock>) -> Result<Pinned, Failure> {
        let recipe = &self.located.recipe;
        Ok(Pinned(Lock {
            schema: 1,
            image: recipe.name.to_string(),
            version: recipe.version.to_string(),
            imagebuild: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: self.located.digest().map_err(import::Error::from)?,
            provisioning: engine::packer::digest(),
            agent: Agent {
                package: self.agent.sha256.clone(),
                binary: self.agent.binary.clone(),
            },
            policy: self.policy(),
            base: Base {
                suite: recipe.base.suite.to_string(),
                packages: Vec::new(),
            },
            binaries: self.binaries(flow, previous)?,
            scripts: self.scripts()?,
        }))
    }

    fn policy(&self) -> Policy {
        let files = self.policy.files().into_iter();
        Policy {
            name: self.policy.policy.name.clone(),
            digest: self.policy.policy.digest(),
            files: files.map(|(path, sha256)| File { path, sha256 }).collect(),
        }
    }

    fn scripts(&self) -> Result<Vec<File>, files::Error> {
        let scripts = &self.located.recipe.scripts;
        let pin = |script: &crate::recipe::Script| {
            let (sha256, _) = files::digest(&self.located.at(&script.path))?;
            Ok(File {
                path: script.path.to_string(),
                sha256,
            })
        };
        scripts.iter().map(pin).collect()
    }

    fn binaries(&self, flow: &Flow<'_>, previous: Option<&Lock>) -> Result<Vec<Binary>, Failure> {
        let mut pinned = Vec::new();
        for binary in &self.located.recipe.binaries {
            let before = previous.and_then(|lock| {
                lock.binaries
                    .iter()
                    .find(|other| other.name == binary.name.as_str())
            });
            let seen = flow.seen(binary)?;
            let known = seen.map(|(sha256, size)| (sha256, Some(size)));
            let known = known.or_else(|| Some((binary.sha256.clone()?, None)));
            let known =
                known.or_else(|| before.map(|before| (before.sha256.clone(), Some(before.size))));
            let missing = || import::Error::Missing {
                name: binary.name.to_string(),
                path: self.located.at(&binary.source),
            };
            let (sha256, size) = known.ok_or_else(missing)?;
            let staged = if flow.has(binary, &sha256) {
                flow.find(binary, &sha256)?
            } else {
                None
            };
            let size = staged.as_ref().map(|staged| staged.receipt.size).or(size);
            let size = size.ok_or_else(missing)?;
            pinned.push(Binary {
                name: binary.name.to_string(),
                sha256,
                size,
                receipt: staged.map(|staged| staged.receipt_digest),
            });
        }
        Ok(pinned)
    }
}

impl Pinned {
    /// The lock with these packages.
    pub fn with(self, packages: Vec<debian::Package>) -> Lock {
        let Self(mut lock) = self;
        lock.base.packages = packages;
        lock
    }
}

/// The packages that a recipe asks for by name.
pub(super) fn wanted(recipe: &Recipe) -> Vec<String> {
    recipe
        .base
        .packages
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// Finds the packages that the recipe needs now.
pub(crate) fn resolve(
    recipe: &Recipe,
    cache: &Path,
    progress: &dyn crate::progress::Progress,
    cancel: &crate::cancel::Cancel,
) -> Result<Vec<debian::Package>, debian::Error> {
    debian::resolve(
        recipe.base.suite.as_str(),
        &wanted(recipe),
        cache,
        progress,
        cancel,
    )
}
