//! A store's key for exports, and the keys that it trusts: `keys/signing` and `keys/trusted`.
//!
//! Who may publish may sign, and may say whom to trust; nobody else reads the one or writes the other.

use super::Store;
use super::audit::{Action, Outcome, Record};
use super::change::Change;
use super::diff::Difference;
use super::error::StoreError;
use super::layout::open_plain;
use super::lock::Lock;
use super::modes::Modes;
use super::replace::replace;
use super::trust::{judge, judge_file, printable};
use crate::travel::{ExportKey, Trusted};
use rustix::process::geteuid;
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

const KEYS: &str = "keys";
const SIGNING: &str = "signing";
const TRUSTED: &str = "trusted";
/// No file of keys is longer, in bytes.
const LIMIT: u64 = 64 << 10;

impl Store {
    /// The store's own key, if it has one.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is none, or others than those who publish can read it.
    pub fn export_key(&self) -> Result<Option<ExportKey>, StoreError> {
        let path = self.directory.join(KEYS).join(SIGNING);
        let Some((text, mode)) = self.read_key(SIGNING)? else { return Ok(None) };
        if mode & 0o007 != 0 {
            let path = printable(&path);
            return Err(StoreError::Refused(format!(
                "{path} can be read by everybody, so that anybody may have signed with it; remove it, make another with `flagstone key make`, and trust that one where the old one was"
            )));
        }
        match seed(text.trim_end()) {
            Some(seed) => Ok(Some(ExportKey::from_seed(&seed))),
            None => {
                Err(StoreError::Refused(format!("{} is no key, expected 64 hex digits", printable(&path))))
            }
        }
    }

    /// Makes the store's key; the one that there is stays.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn make_export_key(&self) -> Result<ExportKey, StoreError> {
        let _lock = Lock::take(&self.directory, self.patience, "key make")?;
        if let Some(key) = self.export_key()? {
            return Ok(key);
        }
        let mut seed = [0; 32];
        let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
        read.map_err(|source| StoreError::io("find random bytes for", &self.directory, source))?;
        let text: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        self.write_key(SIGNING, format!("{text}\n").as_bytes(), true)?;
        Ok(ExportKey::from_seed(&seed))
    }

    /// The keys that exports may be signed by.
    ///
    /// # Errors
    ///
    /// When they cannot be read, or others could change them.
    pub fn trusted_keys(&self) -> Result<Vec<Trusted>, StoreError> {
        let Some((text, _)) = self.read_key(TRUSTED)? else { return Ok(Vec::new()) };
        let line = |(number, line): (usize, &str)| {
            let key = line.split_once(' ').and_then(|(name, key)| Trusted::new(name, key));
            key.ok_or_else(|| {
                let path = printable(&self.directory.join(KEYS).join(TRUSTED));
                StoreError::Refused(format!("{path}:{}: expected a name and a key", number + 1))
            })
        };
        text.lines().enumerate().filter(|(_, line)| !line.is_empty()).map(line).collect()
    }

    /// Trusts a key from now on, or with none no longer the one of that name. False: nothing changed.
    ///
    /// # Errors
    ///
    /// When the name is taken by another key, or it or the audit trail cannot be written.
    pub fn trust_key(&self, name: &str, key: Option<Trusted>, change: &Change) -> Result<bool, StoreError> {
        let action = if key.is_some() { Action::KeyTrust } else { Action::KeyForget };
        let session = self.session(change, action.word())?;
        let mut trusted = self.trusted_keys()?;
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
            return Ok(false);
        }
        let public = |keys: &[Trusted]| {
            keys.iter().find(|key| key.name == name).map(|key| Value::String(key.public()))
        };
        let mut audit = session.audit()?;
        let mut intention = session.record(change, action, Outcome::Intended);
        let pointer = format!("/keys/{name}");
        let difference =
            Difference { flag: None, pointer, before: public(&before), after: public(&trusted), list: None };
        intention.differences = vec![difference];
        let mut outcome = Record { outcome: Outcome::Done, differences: Vec::new(), ..intention.clone() };
        outcome.intention = Some(audit.append(intention)?);
        let text: String = trusted.iter().map(|key| format!("{} {}\n", key.name, key.public())).collect();
        let written = self.write_key(TRUSTED, text.as_bytes(), false);
        if let Err(error) = &written {
            outcome.outcome = Outcome::Failed;
            outcome.error = Some(error.to_string());
        }
        // Without its outcome the intention stands for it.
        let _ = audit.append(outcome);
        written.map(|()| true)
    }

    /// The text and mode of a file that nobody else can change.
    fn read_key(&self, name: &str) -> Result<Option<(String, u32)>, StoreError> {
        let path = self.directory.join(KEYS).join(name);
        let user = geteuid().as_raw();
        let file = match open_plain(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::io("open", &path, source)),
        };
        let failed = |source| StoreError::io("read", &path, source);
        let metadata = file.metadata().map_err(failed)?;
        judge_file(&path, &metadata, &judge(&self.directory.join(KEYS), user)?, user)?;
        let mut text = String::new();
        file.take(LIMIT).read_to_string(&mut text).map_err(failed)?;
        Ok(Some((text, metadata.mode())))
    }

    /// Replaces a file of keys, under the lock.
    fn write_key(&self, name: &str, text: &[u8], secret: bool) -> Result<(), StoreError> {
        let folder = self.directory.join(KEYS);
        let path = folder.join(name);
        let failed = |source| StoreError::io("write", &path, source);
        judge(&self.directory, geteuid().as_raw())?;
        let modes = Modes::of(&std::fs::metadata(&self.directory).map_err(failed)?);
        let mode = if secret { modes.secret() } else { modes.config() };
        if !folder.exists() {
            let made = std::fs::create_dir(&folder)
                .and_then(|()| modes.apply(&File::open(&folder)?, modes.directory()));
            made.map_err(failed)?;
        }
        replace(&path, text, &modes, mode).map_err(failed)
    }
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
