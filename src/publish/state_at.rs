//! The past of a store as [`trace`](crate::answer_history) reads it.

use super::Store;
use crate::answer_history::{AnswerHistory, History, HistoryQuery, trace};
use crate::audit::{Record, settle};
use crate::definition::Definitions;
use crate::error::StoreError;
use crate::time::{now, parse_rfc3339};

impl Store {
    /// Finds every flag whose answer for a company changed in the time asked about.
    ///
    /// # Errors
    ///
    /// When the head, the current snapshot or the audit trail cannot be read.
    pub fn trace_answers(&self, asked: HistoryQuery) -> Result<AnswerHistory, StoreError> {
        // After a change in between, the trail tells of another generation than the head: read again.
        for _ in 0..3 {
            let past = self.past(asked.from)?;
            if past.generation == self.generation()? {
                return Ok(trace(past, asked, &mut |generation| self.definitions(generation).ok()));
            }
        }
        Err(StoreError::Refused("the store is being changed over and over; ask again".to_owned()))
    }

    fn past(&self, from: i64) -> Result<History, StoreError> {
        let head = self.read_head()?;
        let generation = self.generation_of(&head)?;
        let definitions = match generation {
            0 => Definitions::default(),
            generation => self.definitions(generation)?,
        };
        let mut records: Vec<Record> = Vec::new();
        let (mut whole, mut last, mut missing) = (None, 0, Vec::new());
        self.records(|record| {
            let due = |record: &Record| parse_rfc3339(record.at.as_bytes()).is_none_or(|at| at >= from);
            whole.get_or_insert(record.seq == 1 || !due(record));
            // The record before may be the intention of the first one.
            if records.len() == 1 && !records.first().is_some_and(due) {
                records.clear();
            }
            if record.seq != last + 1 && last > 0 && due(record) {
                missing.push((last + 1, record.seq, record.at.clone()));
            }
            last = record.seq;
            records.push(record.clone());
        })?;
        let killed = head.killed().into_iter();
        Ok(History {
            environment: self.identity.environment.clone(),
            definitions,
            generation,
            killed: killed
                .map(|killed| (String::from_utf8_lossy(&killed.key).into_owned(), killed.since))
                .collect(),
            stopped: head.stopped(),
            changes: settle(records, generation).0,
            whole: whole.unwrap_or(false),
            now: now(),
            missing,
        })
    }
}
