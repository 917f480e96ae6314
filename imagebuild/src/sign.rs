//! The key that receipts and custody statements are signed with: ed25519, one per maintainer.

use std::{
    env,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    Signature, Signer, SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey,
        spki::{self, der::pem::LineEnding},
    },
};
use policies::digest::Digest;

use crate::{
    exit::{Ends, Exit},
    files,
};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system gave no randomness.
    #[error("failed to make a signing key")]
    Entropy(#[source] io::Error),
    /// The key's file cannot be read or written.
    #[error("failed to open the key")]
    File(#[from] files::Error),
    /// Neither `IMAGEBUILD_KEY` nor a home folder says where the key is.
    #[error("failed to find the signing key: neither IMAGEBUILD_KEY nor HOME is set")]
    Homeless,
    /// The file holds no private key.
    #[error("`{}` is not an ed25519 private key (PKCS#8, PEM)", path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ed25519_dalek::pkcs8::Error,
    },
    /// The file holds no public key.
    #[error("`{}` is not an ed25519 public key (SPKI, PEM)", path.display())]
    NotPublic {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: spki::Error,
    },
    /// Others than the owner may read the private key.
    #[error("signing key `{}` can be read by others (mode {mode:04o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key cannot be written down.
    #[error("failed to encode the key")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Ends for Error {
    fn exit(&self) -> Exit {
        match self {
            Self::NotPrivate { .. } | Self::NotPublic { .. } => Exit::BadInput,
            Self::Encode(_)
            | Self::Entropy(_)
            | Self::File(_)
            | Self::Homeless
            | Self::Open { .. } => Exit::Unable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Homeless => Some("set IMAGEBUILD_KEY to the key's file".to_owned()),
            _ => None,
        }
    }
}

/// The private half, with which statements are signed.
pub struct Key(SigningKey);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.public().id())
    }
}

impl Key {
    /// Where the key is kept: `IMAGEBUILD_KEY`, or `imagebuild/signing.pem` in the configuration folder.
    pub fn place() -> Result<PathBuf, Error> {
        if let Some(path) = env::var_os("IMAGEBUILD_KEY").filter(|path| !path.is_empty()) {
            return Ok(path.into());
        }
        let home = env::var_os("HOME").filter(|home| !home.is_empty());
        let home = home.ok_or(Error::Homeless)?;
        Ok(Path::new(&home).join(".config/imagebuild/signing.pem"))
    }

    /// Where the public half of a key is kept: beside it.
    pub fn public_place(private: &Path) -> PathBuf {
        private.with_extension("pub")
    }

    /// Reads the key.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let meta = std::fs::metadata(path).map_err(files::Error::read(path))?;
        let mode = meta.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(Error::Open {
                path: path.to_owned(),
                mode,
            });
        }
        let pem = files::text(path, MOST_BYTES)?;
        SigningKey::from_pkcs8_pem(&pem)
            .map(Self)
            .map_err(|source| Error::NotPrivate {
                path: path.to_owned(),
                source,
            })
    }

    /// Makes a key and writes both halves. Fails when there is one already.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let mut seed = [0; 32];
        File::open("/dev/urandom")
            .and_then(|mut random| random.read_exact(&mut seed))
            .map_err(Error::Entropy)?;
        let key = Self(SigningKey::from_bytes(&seed));
        let encode = |error| Error::Encode(Box::new(error));
        let pem = key.0.to_pkcs8_pem(LineEnding::LF).map_err(encode)?;
        files::make_folder(files::folder_of(path))?;
        files::create(path, pem.as_bytes(), 0o600)?;
        files::write(
            &Self::public_place(path),
            key.public().pem()?.as_bytes(),
            0o644,
        )?;
        Ok(key)
    }

    /// Reads the key, or makes it when there is none. Says whether it was made.
    pub fn load_or_create(path: &Path) -> Result<(Self, bool), Error> {
        if path.try_exists().map_err(files::Error::read(path))? {
            Ok((Self::load(path)?, false))
        } else {
            Ok((Self::create(path)?, true))
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; Signature::BYTE_SIZE] {
        self.0.sign(bytes).to_bytes()
    }
}

/// The public half, with which signatures are verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a public key.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let pem = files::text(path, MOST_BYTES)?;
        VerifyingKey::from_public_key_pem(&pem)
            .map(Self)
            .map_err(|source| Error::NotPublic {
                path: path.to_owned(),
                source,
            })
    }

    /// The key as a PEM text.
    pub fn pem(&self) -> Result<String, Error> {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .map_err(|error| Error::Encode(Box::new(error)))
    }

    /// Its name in signatures: the SHA-256 of the key itself.
    pub fn id(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// Says whether a signature over bytes is from this key.
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(bytes, &signature).is_ok())
    }
}

/// No PEM file of one key is this long.
const MOST_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/signing.pem");
        let (key, made) = Key::load_or_create(&path).unwrap();
        assert!(made);
        let (again, made) = Key::load_or_create(&path).unwrap();
        assert!(!made);
        assert_eq!(key.public(), again.public());
        assert_eq!(
            PublicKey::load(&Key::public_place(&path)).unwrap(),
            key.public()
        );
        assert!(key.public().verifies(b"x", &again.sign(b"x")));
        assert!(!key.public().verifies(b"y", &again.sign(b"x")));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.pem");
        Key::create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            Key::load(&path),
            Err(Error::Open { mode: 0o640, .. })
        ));
    }
}
