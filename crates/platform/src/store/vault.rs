//! Secrets at rest.
//!
//! `tidegate.key` holds 32 random bytes, which only its owner may read. Four keys are derived from them with
//! HMAC-SHA256 and a label each: one encrypts secrets, one hashes tokens, one signs the tokens of uploads, and one makes
//! the value by which the database knows its key file.
//!
//! A secret is stored as `nonce (24 bytes) ‖ XChaCha20-Poly1305 (text)`. Nonces are random: 192 bits are enough for
//! that. What the ciphertext belongs to (script, version, binding) is authenticated with it, so whoever can write the
//! database, but not read the key, cannot make one Worker see another's secret, nor an old one come back.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::StoreError;
use crate::worker::Secret;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The keys of a store.
pub(super) struct Vault {
    secrets: XChaCha20Poly1305,
    tokens: Key,
    asset_tokens: Key,
    check: [u8; 32],
}

/// What a secret belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The row of its script.
    pub(super) script: i64,
    /// The UUID of its version.
    pub(super) version: &'a str,
    /// The name of its binding.
    pub(super) binding: &'a str,
}

/// The key file.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
}

impl Vault {
    fn new(key: &Key) -> Self {
        Self {
            secrets: XChaCha20Poly1305::new((&*derived(key, "tidegate secrets 1")).into()),
            tokens: derived(key, "tidegate tokens 1"),
            asset_tokens: derived(key, "tidegate asset tokens 1"),
            check: *derived(key, "tidegate key check 1"),
        }
    }

    /// Says nothing about the other keys; by it a database knows its key file.
    pub(super) fn check(&self) -> &[u8; 32] {
        &self.check
    }

    /// The keyed hash of a token.
    pub(super) fn hash_token(&self, token: &str) -> [u8; 32] {
        mac(&self.tokens, token.as_bytes())
    }

    /// The HMAC-SHA256 of what a token of static assets says.
    pub(super) fn sign_asset_token(&self, signed: &[u8]) -> [u8; 32] {
        mac(&self.asset_tokens, signed)
    }

    /// Encrypts a secret for one place.
    pub(super) fn seal(&self, place: Place<'_>, secret: &Secret) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(StoreError::Random)?;
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &place.authenticated() };
        let sealed = self
            .secrets
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| StoreError::Sealed(place.binding.to_owned()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Decrypts what was encrypted for this place.
    pub(super) fn open(&self, place: Place<'_>, stored: &[u8]) -> Result<Secret, StoreError> {
        let refused = || StoreError::Sealed(place.binding.to_owned());
        let (nonce, sealed) = stored.split_first_chunk::<NONCE_BYTES>().ok_or_else(refused)?;
        let payload = Payload { msg: sealed, aad: &place.authenticated() };
        let text = self.secrets.decrypt(&XNonce::from(*nonce), payload).map_err(|_| refused())?;
        let text = String::from_utf8(text).map_err(|_| refused())?;
        Ok(Secret::new(text))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Place<'_> {
    /// No two places give the same bytes: what may be of any length is last, or has its length before it.
    fn authenticated(self) -> Vec<u8> {
        let version = self.version.as_bytes();
        let mut bytes = self.script.to_le_bytes().to_vec();
        bytes.extend((version.len() as u64).to_le_bytes());
        bytes.extend(version);
        bytes.extend(self.binding.as_bytes());
        bytes
    }
}

impl KeyFile {
    pub(super) fn within(folder: &Path) -> Self {
        Self { path: folder.join("tidegate.key") }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, if there is a key file.
    pub(super) fn read(&self) -> Result<Option<Vault>, StoreError> {
        let failed = |source| StoreError::KeyFile { path: self.path.clone(), source };
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(io::Error::other("it is no file")));
        }
        self.refuse_open_doors(&metadata)?;
        let length = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if length != KEY_BYTES {
            return Err(StoreError::KeyLength { path: self.path.clone(), found: length });
        }
        let mut key = Key::default();
        io::Read::read_exact(&mut &file, &mut *key).map_err(failed)?;
        Ok(Some(Vault::new(&key)))
    }

    /// Makes a new key file. A crash leaves all of it or nothing.
    pub(super) fn create(&self) -> Result<Vault, StoreError> {
        let failed = |source| StoreError::KeyFile { path: self.path.clone(), source };
        let mut key = Key::default();
        getrandom::fill(&mut *key).map_err(StoreError::Random)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        // A temporary file has mode 0600 from the start.
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(&*key).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist_noclobber(&self.path).map_err(|error| failed(error.error))?;
        sync_folder(folder).map_err(failed)?;
        Ok(Vault::new(&key))
    }

    #[cfg(unix)]
    fn refuse_open_doors(&self, metadata: &fs::Metadata) -> Result<(), StoreError> {
        use std::os::unix::fs::PermissionsExt as _;

        const OTHERS: u32 = 0o077;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & OTHERS == 0 { Ok(()) } else { Err(StoreError::KeyOpen { path: self.path.clone(), mode }) }
    }

    #[cfg(not(unix))]
    fn refuse_open_doors(&self, _: &fs::Metadata) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Makes a new name in a folder outlast a loss of power.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

fn derived(key: &Key, label: &str) -> Key {
    Zeroizing::new(mac(key, label.as_bytes()))
}

fn mac(key: &Key, message: &[u8]) -> [u8; 32] {
    // HMAC fills a key that is shorter than a block up with zeros; a whole block cannot be of a wrong length.
    let mut block = Zeroizing::new([0; 64]);
    for (byte, of_key) in block.iter_mut().zip(key.iter()) {
        *byte = *of_key;
    }
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new((&*block).into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}
