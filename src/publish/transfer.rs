//! Export and arrival of flags.

use super::Store;
use super::change_options::{Change, Published};
use super::commit::{Cause, write_generation};
use super::init::random;
use crate::audit::{Action, Actor, settle};
use crate::definition::Definitions;
use crate::error::StoreError;
use crate::snapshot::ContentId;
use crate::time::{format_rfc3339, now};
use crate::transfer::Origin;

impl Store {
    /// Origin of flags that leave the store now.
    ///
    /// # Errors
    ///
    /// When the head cannot be read.
    pub fn origin(&self) -> Result<Origin, StoreError> {
        Ok(Origin {
            environment: self.identity.environment.clone(),
            store: ContentId(self.identity.store).to_string(),
            machine: Actor::current().host,
            generation: self.generation()?,
            by: None,
            at: None,
            export: None,
        })
    }

    /// Like [`origin`](Self::origin), for an export, which may arrive only once.
    ///
    /// # Errors
    ///
    /// The errors of [`origin`](Self::origin), and when there are no random bytes.
    pub fn export_origin(&self, actor: &Actor) -> Result<Origin, StoreError> {
        Ok(Origin {
            by: Some(actor.name_elsewhere()),
            at: Some(format_rfc3339(now())),
            export: Some(ContentId(random(&self.directory)?).to_string()),
            ..self.origin()?
        })
    }

    /// Publishes definitions in which flags have arrived; `change.base` is the generation that they were put into.
    ///
    /// # Errors
    ///
    /// When this export, or a newer one, arrived before; and the errors of [`publish`](Self::publish).
    pub fn publish_arrival(
        &self,
        definitions: &Definitions,
        origin: &Origin,
        change: Change,
    ) -> Result<Published, StoreError> {
        let bytes = crate::compile(definitions, &self.identity.environment)?;
        let action = if origin.export.is_some() { Action::Import } else { Action::Promote };
        self.session(&change, "taking in flags", |session| {
            self.not_again(origin)?;
            write_generation(session, &bytes, &Cause::arrival(action, origin), &change)
        })
    }

    /// Refuses an export that arrived before, or that is older than another one of the same store that did.
    ///
    /// # Errors
    ///
    /// When it is refused, with the time of the arrival, and when the audit trail cannot be read.
    pub fn not_again(&self, origin: &Origin) -> Result<(), StoreError> {
        let Some(export) = &origin.export else { return Ok(()) };
        let mut records = Vec::new();
        self.records(|record| {
            if record.action == Action::Import {
                records.push(record.clone());
            }
        })?;
        for arrived in settle(records, self.generation()?).0 {
            let Some(before) = arrived.record.origin.as_ref().filter(|before| before.store == origin.store)
            else {
                continue;
            };
            let at = &arrived.record.at;
            if before.export.as_ref() == Some(export) {
                return Err(StoreError::Refused(format!(
                    "this export arrived here already, {at} as generation {}; nothing was changed",
                    arrived.record.to
                )));
            }
            if before.generation > origin.generation {
                return Err(StoreError::Refused(format!(
                    "this export is of generation {} of {}, and {at} one of generation {} arrived here; nothing was changed. Export it again",
                    origin.generation, origin.environment, before.generation
                )));
            }
        }
        Ok(())
    }
}
