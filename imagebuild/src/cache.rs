//! The folder for what can be made or fetched again.

use std::{env, path::PathBuf};

use crate::exit::{Ends, Exit};

/// No folder for the cache is known.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("failed to find the cache folder: neither IMAGEBUILD_CACHE nor HOME is set")]
pub struct Homeless;

impl Ends for Homeless {
    fn exit(&self) -> Exit {
        Exit::Unable
    }
}

/// Where packages and base disks are kept.
pub fn folder() -> Result<PathBuf, Homeless> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("IMAGEBUILD_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("imagebuild")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/imagebuild")))
        .ok_or(Homeless)
}
