//! Kill and revive of one flag, stop and resume of everything: in the head alone.
//!
//! They work with a full disk and without an audit trail, and say so. They hold across publishes.

use super::Store;
use super::audit::{Action, Outcome};
use super::change::{Change, Switched};
use super::error::StoreError;
use super::head::SLOT_COUNT;
use super::session::Session;
use crate::guard::Finding;

impl Store {
    /// Turns one flag off for everybody, at once, until it is revived; whether or not the snapshot holds it.
    ///
    /// # Errors
    ///
    /// When the key could not be a flag's, 240 flags are killed already, or the head cannot be written.
    pub fn kill(&self, flag: &str, change: Change) -> Result<Switched, StoreError> {
        valid_key(flag)?;
        self.kill_found(flag, None, &change)
    }

    /// The same, because the guard found that.
    pub(super) fn kill_found(
        &self,
        flag: &str,
        finding: Option<&Finding>,
        change: &Change,
    ) -> Result<Switched, StoreError> {
        self.switch(Action::Kill, Some(flag), finding, change, |session| {
            if is_killed(session, flag) {
                return Ok(false);
            }
            if session.head.kill(flag.as_bytes(), session.now) {
                return Ok(true);
            }
            Err(StoreError::Refused(format!(
                "cannot kill {flag}: {SLOT_COUNT} flags are killed already, and the head has room for no more. \
                 Revive those that are off by now in the definitions, or stop everything with `flagstone stop-all`"
            )))
        })
    }

    /// Ends a kill.
    ///
    /// # Errors
    ///
    /// When the key could not be a flag's or the head cannot be written.
    pub fn revive(&self, flag: &str, change: Change) -> Result<Switched, StoreError> {
        valid_key(flag)?;
        self.switch(Action::Revive, Some(flag), None, &change, |session| {
            Ok(session.head.revive(flag.as_bytes()))
        })
    }

    /// Turns every flag off whose `emergency` is not `keep`.
    ///
    /// # Errors
    ///
    /// When the head cannot be written.
    pub fn stop_all(&self, change: Change) -> Result<Switched, StoreError> {
        self.switch(Action::StopAll, None, None, &change, |session| {
            let changed = session.head.stopped().is_none();
            if changed {
                session.head.stop(Some(session.now));
            }
            Ok(changed)
        })
    }

    /// Ends the stop. Flags killed one by one stay killed.
    ///
    /// # Errors
    ///
    /// When the head cannot be written.
    pub fn resume_all(&self, change: Change) -> Result<Switched, StoreError> {
        self.switch(Action::ResumeAll, None, None, &change, |session| {
            let changed = session.head.stopped().is_some();
            session.head.stop(None);
            Ok(changed)
        })
    }

    fn switch(
        &self,
        action: Action,
        flag: Option<&str>,
        finding: Option<&Finding>,
        change: &Change,
        act: impl FnOnce(&Session) -> Result<bool, StoreError>,
    ) -> Result<Switched, StoreError> {
        let session = self.session(change, "switching")?;
        let current = session.current().0;
        if let Some(base) = change.base.filter(|base| *base != current) {
            return Err(StoreError::Stale { base, current });
        }
        let changed = act(&session)?;
        // Also where it was so before: whoever did it may have died before the readers were told.
        session.head.touch();
        session.kept()?;
        let mut warnings: Vec<String> = session.flush().into_iter().collect();
        if changed {
            let mut record = session.record(change, action, Outcome::Done);
            record.flag = flag.map(str::to_owned);
            record.guard = finding.cloned();
            if let Err(error) = session.audit().and_then(|mut audit| audit.append(record)) {
                warnings.push(format!("it is done, but not in the audit trail: {error}"));
            }
        }
        let audit_warning = (!warnings.is_empty()).then(|| warnings.join("; "));
        Ok(Switched { changed, generation: current, audit_warning })
    }
}

fn is_killed(session: &Session, flag: &str) -> bool {
    session.head.killed().iter().any(|killed| killed.key == flag.as_bytes())
}

/// `[A-Za-z0-9][A-Za-z0-9_.:\\-]{0,190}`
fn valid_key(key: &str) -> Result<(), StoreError> {
    let first = key.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    let rest = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:\\-".contains(&byte));
    if first && rest && key.len() <= 191 {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "{key:?} cannot be a flag's key; expected 1 to 191 letters, digits and _ . : \\ -, the first a letter or digit"
    )))
}
