//! A private apt: its own lists and archives, the host's mirrors and keys, and no say in the host.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Error, sources};
use crate::{
    cancel::Cancel,
    tool::{Call, Tool},
};

/// An apt of its own for one suite, in the cache. The lock keeps a second imagebuild out of it.
#[derive(Debug)]
pub(super) struct Apt {
    root: PathBuf,
    _lock: File,
}

impl Apt {
    /// Sets it up, waiting for another imagebuild that uses it.
    pub(super) fn open(suite: &str, cache: &Path, cancel: &Cancel) -> Result<Self, Error> {
        let Some(sources) =
            sources::of_suite(Path::new(ETC), suite).map_err(|source| Error::File {
                path: ETC.into(),
                source,
            })?
        else {
            return Err(Error::NoSources {
                suite: suite.to_owned(),
            });
        };
        let root = cache.join("apt").join(suite);
        let failed = |source| Error::File {
            path: root.clone(),
            source,
        };
        for folder in ["sources", "lists/partial", "archives/partial"] {
            fs::create_dir_all(root.join(folder)).map_err(failed)?;
        }
        let lock = File::create(root.join("lock")).map_err(failed)?;
        while lock.try_lock().is_err() {
            if cancel.wait(Duration::from_millis(200)) {
                return Err(Error::Cancelled);
            }
        }
        let settings = settings(&root, cancel)?;
        for (name, text) in [
            ("sources/host.sources", sources),
            ("apt.conf", settings),
            ("status", String::new()),
        ] {
            write(&root.join(name), &text).map_err(failed)?;
        }
        Ok(Self { root, _lock: lock })
    }

    /// Where downloaded files land.
    pub(super) fn archives(&self) -> PathBuf {
        self.root.join("archives")
    }

    /// A call of apt-get that sees nothing of the host but its mirrors.
    pub(super) fn get(&self) -> Call {
        Tool::AptGet
            .call()
            .env("APT_CONFIG", self.root.join("apt.conf"))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .deadline(DEADLINE)
            .arg("-qq")
    }

    /// Fetches the lists of packages anew.
    pub(super) fn update(&self, cancel: &Cancel) -> Result<(), Error> {
        // Without the option apt is content with lists that it could not fetch.
        self.get()
            .args(["update", "-o", "APT::Update::Error-Mode=any"])
            .run(cancel)?;
        Ok(())
    }
}

/// The settings of the private apt. How the host reaches its mirrors (proxies, certificates) is kept.
fn settings(root: &Path, cancel: &Cancel) -> Result<String, Error> {
    let host = Tool::AptConfig.call().arg("dump").run(cancel)?.text();
    let mut settings: String = host
        .lines()
        .filter(|line| line.starts_with("Acquire::") && !line.starts_with("Acquire::IndexTargets"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let folder = |name: &str| format!("\"{}\"", root.join(name).display());
    for (name, value) in [
        ("Acquire::ForceHash", "\"sha256\"".to_owned()),
        ("Acquire::Languages", "\"none\"".to_owned()),
        ("Acquire::Retries", "\"3\"".to_owned()),
        ("APT::Architecture", "\"amd64\"".to_owned()),
        ("APT::Install-Recommends", "\"false\"".to_owned()),
        ("APT::Sandbox::User", "\"\"".to_owned()),
        ("Dir::Cache", folder("")),
        ("Dir::Cache::archives", folder("archives")),
        ("Dir::Etc::main", "\"/dev/null\"".to_owned()),
        ("Dir::Etc::parts", "\"/dev/null\"".to_owned()),
        ("Dir::Etc::preferences", "\"/dev/null\"".to_owned()),
        ("Dir::Etc::preferencesparts", "\"/dev/null\"".to_owned()),
        ("Dir::Etc::sourcelist", "\"/dev/null\"".to_owned()),
        ("Dir::Etc::sourceparts", folder("sources")),
        ("Dir::State", folder("")),
        ("Dir::State::lists", folder("lists")),
        ("Dir::State::status", folder("status")),
    ] {
        settings.extend([name, " ", &value, ";\n"]);
    }
    settings.push_str("#clear APT::Architectures;\nAPT::Architectures { \"amd64\"; };\n");
    Ok(settings)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Where the host keeps its sources.
const ETC: &str = "/etc/apt";
/// How long apt may take; a slow mirror and a few hundred megabytes fit in.
const DEADLINE: Duration = Duration::from_mins(30);
