use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use super::state::{Look, Result as StepResult};
use crate::{
    exit::{Ends, Exit},
    files,
    recipe::Located,
};

/// Where the parts of one image's builds lie.
#[derive(Clone, Debug)]
pub struct Place {
    out: PathBuf,
    name: String,
}

/// Another build of the same image is under way, or the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Busy {
    /// Another build of the same image is under way.
    #[error("failed to build `{name}`: process {pid} is building it")]
    Other {
        /// The image.
        name: String,
        /// The other process.
        pid: String,
    },
    /// The folder cannot be used.
    #[error("failed to prepare the build")]
    File(#[from] files::Error),
}

impl Ends for Busy {
    fn exit(&self) -> Exit {
        Exit::Unable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Other { .. } => Some("wait until it has ended".to_owned()),
            Self::File(error) => error.hint(),
        }
    }
}

impl Place {
    /// The place of a recipe's image in a folder of images.
    pub fn new(out: &Path, located: &Located) -> Self {
        let recipe = &located.recipe;
        Self {
            out: out.to_owned(),
            name: format!("{}-{}", recipe.name, recipe.version),
        }
    }

    /// The image that passed.
    pub fn image(&self) -> PathBuf {
        self.out.join(&self.name)
    }

    /// The image that did not pass.
    pub fn rejected(&self) -> PathBuf {
        self.out.join(format!("{}.rejected", self.name))
    }

    /// The image that had the final name before.
    pub fn previous(&self) -> PathBuf {
        self.out.join(format!("{}.previous", self.name))
    }

    /// The log of the build that is under way.
    pub fn log(&self) -> PathBuf {
        self.work().join("result").join(crate::custody::LOG)
    }

    fn work(&self) -> PathBuf {
        self.out.join(".work").join(&self.name)
    }

    /// How the image looked when it got its name.
    pub fn published(&self) -> Result<Option<Look>, files::Error> {
        let path = self.work().join(PUBLISHED);
        if !path.is_file() {
            return Ok(None);
        }
        Ok(serde_json::from_slice(&files::read(&path, 4096)?).ok())
    }

    /// What an interrupted build of this lock has left.
    pub fn left(&self, lock: &policies::digest::Digest) -> Result<super::State, files::Error> {
        super::State::peek(&self.work().join(super::state::FILE), lock)
    }

    /// Enters the work folder, alone.
    pub fn enter(&self, located: &Located) -> Result<Work, Busy> {
        let folder = self.work();
        files::make_folder(&folder)?;
        let path = folder.join("lock");
        let open = || {
            File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
        };
        let mut lock = open().map_err(files::Error::write(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                lock.read_to_string(&mut pid)
                    .map_err(files::Error::read(&path))?;
                let name = located.recipe.name.to_string();
                return Err(Busy::Other {
                    name,
                    pid: pid.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(files::Error::write(&path)(error).into()),
        }
        let mut sign = || {
            lock.set_len(0)?;
            lock.rewind()?;
            writeln!(lock, "{}", std::process::id())
        };
        sign().map_err(files::Error::write(&path))?;
        Ok(Work {
            folder,
            _lock: lock,
        })
    }
}

/// The work folder of a build. Nobody else is in it.
#[derive(Debug)]
pub struct Work {
    folder: PathBuf,
    /// The system lets go of the lock when the process ends, however it ends.
    _lock: File,
}

impl Work {
    /// Something in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where the files gather that will be the image's.
    pub fn result(&self) -> PathBuf {
        self.path("result")
    }

    /// An empty folder in the folder.
    pub fn fresh(&self, name: &str) -> Result<PathBuf, files::Error> {
        let path = self.path(name);
        files::remove(&path)?;
        files::make_folder(&path)?;
        Ok(path)
    }

    /// Forgets everything that another lock left.
    pub fn clear(&self) -> Result<(), files::Error> {
        for name in [
            "result",
            "engine",
            "staged",
            "policy",
            "serial.log",
            PUBLISHED,
        ] {
            files::remove(&self.path(name))?;
        }
        Ok(())
    }

    /// Adds the console of the boot to the log, so that the evidence has all of it.
    pub fn keep_log(&self, log: &Path) -> Result<(), files::Error> {
        let append = || {
            let mut log = File::options().create(true).append(true).open(log)?;
            writeln!(log, "\n==> gate: serial console of the boot")?;
            match File::open(self.path("serial.log")) {
                Ok(mut serial) => io::copy(&mut serial, &mut log).map(|_| ()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            }?;
            log.sync_all()
        };
        append().map_err(files::Error::write(log))
    }

    /// Gives the image its final name. What had the name before is kept beside it.
    pub fn publish(self, place: &Place, vhd: &StepResult) -> Result<(), files::Error> {
        let (from, to) = (self.result(), place.image());
        if to.exists() {
            files::remove(&place.previous())?;
            exchange(&from, &to)?;
            rename(&from, &place.previous())?;
        } else {
            rename(&from, &to)?;
        }
        files::sync_folder(&place.out)?;
        files::remove(&place.rejected())?;
        let look = serde_json::to_vec(&vhd.look).unwrap_or_default();
        files::write(&self.path(PUBLISHED), &look, 0o644)?;
        self.forget()
    }

    /// Keeps the image apart, under a name that says what it is.
    pub fn reject(self, place: &Place) -> Result<(), files::Error> {
        files::remove(&place.rejected())?;
        rename(&self.result(), &place.rejected())?;
        files::sync_folder(&place.out)?;
        self.forget()
    }

    fn forget(self) -> Result<(), files::Error> {
        for name in [
            super::state::FILE,
            "engine",
            "staged",
            "policy",
            "serial.log",
        ] {
            files::remove(&self.path(name))?;
        }
        Ok(())
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), files::Error> {
    fs::rename(from, to).map_err(files::Error::write(to))
}

/// Swaps two folders in one step, so that there is an image under the name at every moment.
fn exchange(a: &Path, b: &Path) -> Result<(), files::Error> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    renameat2(AT_FDCWD, a, AT_FDCWD, b, RenameFlags::RENAME_EXCHANGE)
        .map_err(|errno| files::Error::write(b)(errno.into()))
}

const PUBLISHED: &str = "published.json";
