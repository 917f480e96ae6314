//! What most commands begin with: a recipe, the agent that goes into its image, and the key.

use std::path::{Path, PathBuf};

use crate::{
    agent, cache,
    cancel::Cancel,
    exit::{Ends, Exit, Failure},
    import::Flow,
    lock::{self, Inputs, Lock},
    recipe::Located,
    sign::Key,
    ui,
};

/// A recipe with everything around it.
#[derive(Debug)]
pub(super) struct Project {
    /// The recipe.
    pub(super) located: Located,
    /// The key that statements are signed with.
    pub(super) key: Key,
    /// The folder for what can be made again.
    pub(super) cache: PathBuf,
    /// The wish to stop.
    pub(super) cancel: Cancel,
}

/// Signals cannot be waited for.
#[derive(Debug, thiserror::Error)]
#[error("failed to prepare for Ctrl-C")]
struct Deaf(#[source] std::io::Error);

impl Ends for Deaf {
    fn exit(&self) -> Exit {
        Exit::Unable
    }
}

/// A wish to stop that Ctrl-C and `kill` utter.
pub(super) fn cancel() -> Result<Cancel, Failure> {
    let cancel = Cancel::new();
    for signal in [
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ] {
        signal_hook::flag::register(signal, cancel.flag()).map_err(Deaf)?;
    }
    Ok(cancel)
}

/// The signing key; made when there is none, and said then.
pub(super) fn key() -> Result<Key, Failure> {
    let path = Key::place()?;
    let (key, made) = Key::load_or_create(&path)?;
    if made {
        let public = Key::public_place(&path);
        ui::say(&format!(
            "made the signing key {} (public half: {})",
            path.display(),
            public.display()
        ));
    }
    Ok(key)
}

impl Project {
    /// Opens a recipe.
    pub(super) fn open(recipe: &Path) -> Result<Self, Failure> {
        Ok(Self {
            located: Located::load(recipe)?,
            key: key()?,
            cache: cache::folder()?,
            cancel: cancel()?,
        })
    }

    /// The import flow of the recipe.
    pub(super) fn flow(&self) -> Flow<'_> {
        Flow::new(&self.located, &self.key)
    }

    /// The agent's package and the policy.
    pub(super) fn inputs(&self, agent: Option<&Path>) -> Result<Inputs<'_>, Failure> {
        let path = agent::Package::find(agent)?;
        let agent = agent::Package::open(&path, &self.cache, &self.cancel)?;
        Ok(Inputs::read(&self.located, agent)?)
    }

    /// The lock, if there is one.
    pub(super) fn lock(&self) -> Result<Option<Lock>, lock::Error> {
        Lock::find(&self.located.lock())
    }
}
