//! The key that a store signs exports with, and the keys that it trusts: `keys/signing` and `keys/trusted`.
//!
//! Publishers may sign, and choose the trusted keys; no other user can read the first or write the second.

use super::Store;
use super::change_options::{Change, RecordOutcome};
use super::transaction::Session;
use crate::audit::{Action, Difference, Outcome, Record};
use crate::error::StoreError;
use crate::files::{Access, Folder, replace};
use crate::text::printable;
use crate::transfer::{ExportKey, Trusted};
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

const KEYS: &str = "keys";
const SIGNING: &str = "signing";
const TRUSTED: &str = "trusted";
/// Largest file of keys, in bytes.
const MAX_KEYS_BYTES: u64 = 64 << 10;

impl Store {
    /// The store's own key, if it has one.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not valid, or can be read by others than the publishers.
    pub fn export_key(&self) -> Result<Option<ExportKey>, StoreError> {
        self.read_export_key(&self.folder()?)
    }

    fn read_export_key(&self, store: &Folder) -> Result<Option<ExportKey>, StoreError> {
        let path = self.directory.join(KEYS).join(SIGNING);
        let Some((text, mode)) = read_key(store, SIGNING)? else { return Ok(None) };
        refuse_readable(&store.expect_folder(KEYS)?, SIGNING, mode)?;
        match seed(text.trim_end()) {
            Some(seed) => Ok(Some(ExportKey::from_seed(&seed))),
            None => {
                Err(StoreError::Refused(format!("{} is no key, expected 64 hex digits", printable(&path))))
            }
        }
    }

    /// Makes the store's key, unless there is one.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn make_export_key(&self) -> Result<ExportKey, StoreError> {
        let (store, _lock) = self.locked("key make")?;
        if let Some(key) = self.read_export_key(&store)? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
        read.map_err(|source| StoreError::io("find random bytes for", &self.directory, source))?;
        let text: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        write_key(&store, SIGNING, format!("{text}\n").as_bytes(), true)?;
        Ok(ExportKey::from_seed(&seed))
    }

    /// The keys accepted as signers of exports.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or others could change them.
    pub fn trusted_keys(&self) -> Result<Vec<Trusted>, StoreError> {
        self.read_trusted_keys(&self.folder()?)
    }

    fn read_trusted_keys(&self, store: &Folder) -> Result<Vec<Trusted>, StoreError> {
        let Some((text, _)) = read_key(store, TRUSTED)? else { return Ok(Vec::new()) };
        let line = |(number, line): (usize, &str)| {
            let key = line.split_once(' ').and_then(|(name, key)| Trusted::new(name, key));
            key.ok_or_else(|| {
                let path = printable(&self.directory.join(KEYS).join(TRUSTED));
                StoreError::Refused(format!("{path}:{}: expected a name and a key", number + 1))
            })
        };
        text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(line).collect()
    }

    /// Trusts a key from now on; with `None`, forgets the key of that name.
    ///
    /// # Errors
    ///
    /// When the name belongs to another key, or the key or the audit trail cannot be written.
    pub fn trust_key(
        &self,
        name: &str,
        key: Option<Trusted>,
        change: &Change,
    ) -> Result<RecordOutcome, StoreError> {
        let action = if key.is_some() { Action::KeyTrust } else { Action::KeyForget };
        self.session(change, action.name(), |session| self.trust_key_in(session, (action, name), key, change))
    }

    fn trust_key_in(
        &self,
        session: &Session,
        (action, name): (Action, &str),
        key: Option<Trusted>,
        change: &Change,
    ) -> Result<RecordOutcome, StoreError> {
        let mut trusted = self.read_trusted_keys(&session.folder)?;
        let before = trusted.clone();
        match key {
            Some(key) if trusted.contains(&key) => {}
            Some(_) if trusted.iter().any(|known| known.name == name) => {
                return Err(StoreError::Refused(format!(
                    "another key is trusted as {name}; type `flagstone key forget {name}` first if it is replaced by this one"
                )));
            }
            Some(key) => trusted.push(key),
            None => trusted.retain(|known| known.name != name),
        }
        if trusted == before {
            return Ok(RecordOutcome::default());
        }
        let public = |keys: &[Trusted]| {
            keys.iter().find(|key| key.name == name).map(|key| Value::String(key.public()))
        };
        let mut intention = session.record(change, action, Outcome::Intended);
        let pointer = format!("/keys/{name}");
        let difference =
            Difference { flag: None, pointer, before: public(&before), after: public(&trusted), list: None };
        intention.differences = vec![difference];
        let mut outcome = Record { outcome: Outcome::Done, differences: Vec::new(), ..intention.clone() };
        outcome.intention = Some(session.append(intention)?.record);
        let text: String = trusted.iter().map(|key| format!("{} {}\n", key.name, key.public())).collect();
        let written = write_key(&session.folder, TRUSTED, text.as_bytes(), false);
        if let Err(error) = &written {
            outcome.outcome = Outcome::Failed;
            outcome.error = Some(error.to_string());
        }
        // If this fails, the record of the intention stands for it.
        let _ = session.append(outcome);
        written.map(|()| RecordOutcome::changed())
    }
}

/// Refuses an export key that others than the publishers can read; other files pass.
pub(crate) fn refuse_readable(folder: &Folder, name: &str, mode: u32) -> Result<(), StoreError> {
    if (folder.name(), name) != (KEYS, SIGNING) || mode & 0o007 == 0 {
        return Ok(());
    }
    let path = printable(&folder.path().join(name));
    Err(StoreError::Refused(format!(
        "{path} can be read by everybody, so that anybody may have signed with it; remove it, make another with `flagstone key make`, and trust that one where the old one was"
    )))
}

/// Text and mode of a file of keys, judged.
fn read_key(store: &Folder, name: &str) -> Result<Option<(String, u32)>, StoreError> {
    let Some(folder) = store.folder(KEYS)? else { return Ok(None) };
    let Some(opened) = folder.open(name, "open", Access::Read)? else { return Ok(None) };
    let path = folder.path().join(name);
    let failed = |source| StoreError::io("read", &path, source);
    let text = opened.read(MAX_KEYS_BYTES).map_err(failed)?;
    let text = String::from_utf8(text).map_err(|_| failed(std::io::ErrorKind::InvalidData.into()))?;
    Ok(Some((text, opened.metadata.mode())))
}

/// Replaces a file of keys, under the lock.
fn write_key(store: &Folder, name: &str, text: &[u8], secret: bool) -> Result<(), StoreError> {
    let path = store.path().join(KEYS).join(name);
    let failed = |source| StoreError::io("write", &path, source);
    let modes = store.modes().map_err(failed)?;
    let mode = if secret { modes.secret() } else { modes.trusted_keys() };
    let folder = store.make_folder(KEYS, &modes, modes.keys())?;
    replace(&folder, name, text, &modes, mode).map_err(failed)
}

fn seed(digits: &str) -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (number, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * number..2 * number + 2)?, 16).ok()?;
    }
    Some(seed)
}
