//! Merges one flag of a file into the running flag.

use super::companies::{self, MergedCompanies};
use super::conflict::Conflict;
use super::drift;
use super::fields::{COMPANIES, FIELDS, FORMER_KEY, Field};
use super::options::Options;
use super::outcome::Outcome;
use super::rename::{Apart, Decision, RenameOptions, former_key};
use super::result::Merged;
use super::take::{note, take};
use crate::definition::{FieldSet, FileState, Flag, FlagState, KeptConflict, Managed, Percentage, Rollout};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Merged {
    pub(super) fn new_flag(&mut self, key: &str, says: &Flag, options: &Options) -> Flag {
        let mut flag = says.clone();
        if options.older.is_some() {
            if flag.enabled {
                flag.enabled = false;
                self.disabled.push(key.to_owned());
            }
            self.tell_drift(key, &flag, says, says, &[]);
            // An older release does not change the base.
            return flag;
        }
        flag.state.file =
            Some(Arc::new(FileState { base: said(says), conflicts: Vec::new(), shared: BTreeMap::new() }));
        flag
    }

    /// Keeps the running flag, since the file is of an older release.
    pub(super) fn older_flag(&mut self, key: &str, is: &Flag, says: &Flag) -> Flag {
        self.tell_drift(key, is, says, is.state.base().unwrap_or(says), &[]);
        is.clone()
    }

    pub(super) fn flag(
        &mut self,
        key: &str,
        is: &Flag,
        says: &Flag,
        asked: &RenameOptions,
        apart: Option<&Apart>,
    ) -> Flag {
        let mut flag = is.clone();
        let git = is_managed(is, says);
        // Copied on write: lists of companies may be long.
        let mut base = match is.state.base() {
            Some(base) => Cow::Borrowed(base),
            None => {
                self.unknown.push(key.to_owned());
                Cow::Owned(first_base(is, says))
            }
        };
        let returned = flag.state.orphaned.take().is_some();
        let mut conflicts = Vec::new();
        let (mut held, mut others) = (false, false);
        for field in &FIELDS {
            let decision = asked.decision(key, field);
            let reset = decision == Some(Decision::File);
            let settle = decision == Some(Decision::Running) && !git;
            if field.name == FORMER_KEY {
                let found = former_key(key, field, says, (&mut flag, &mut base), asked, apart);
                self.unsaid.extend(found.unsaid);
                conflicts.extend(found.conflict);
            } else if field.name == COMPANIES {
                let says_companies =
                    companies::said(&says.companies, says.written, &base.companies, &flag.companies);
                if reset || git {
                    let wins = if reset { Cow::Borrowed(&says.companies) } else { says_companies };
                    if flag.companies != *wins {
                        flag.companies.clone_from(&wins);
                    }
                    if base.companies != *wins {
                        base.to_mut().companies = wins.into_owned();
                    }
                } else if settle {
                    if base.companies != *says_companies {
                        base.to_mut().companies = says_companies.into_owned();
                    }
                } else if let Some(merged) =
                    companies::merge(&says_companies, &base.companies, &flag.companies)
                {
                    let MergedCompanies { running, base: next, conflicts: found } = merged;
                    flag.companies = running;
                    base.to_mut().companies = next;
                    if !found.is_empty() {
                        conflicts.push(Conflict::of_companies(key, found));
                    }
                }
                self.unsaid.extend(drift::unsaid_field(key, field, &flag, says, &base));
            } else {
                let written = says.written.has(field.written);
                if reset || (git && written) {
                    take(field, &mut flag, says);
                    note(field, &mut base, says);
                } else if !written {
                    if (field.same)(says, &flag) {
                        // Reverted on both sides: written again, it is an edit.
                        note(field, &mut base, says);
                    } else {
                        self.unsaid.extend(drift::unsaid_field(key, field, &flag, says, &base));
                    }
                } else if settle {
                    note(field, &mut base, says);
                } else {
                    let outcome = Outcome::compared(
                        (field.same)(says, &base),
                        (field.same)(&flag, &base),
                        (field.same)(says, &flag),
                    );
                    match outcome {
                        Outcome::Keep => {}
                        Outcome::Take => {
                            take(field, &mut flag, says);
                            note(field, &mut base, says);
                        }
                        Outcome::Agree => note(field, &mut base, says),
                        Outcome::Conflict => {
                            conflicts.push(Conflict::field(key, field, [&base, says, &flag]))
                        }
                    }
                }
            }
            let changed = !(field.same)(is, &flag);
            held |= changed && field.is_switch();
            others |= changed && field.is_answering() && !field.is_switch();
        }
        if returned && !git && !asked.reset.has_flag(key) {
            conflicts.clear();
            base = Cow::Owned(said_over(&base, says, is));
            flag = narrower(is, says);
            for field in FIELDS.iter().filter(|field| field.name != FORMER_KEY) {
                match asked.decision(key, field) {
                    None => {}
                    Some(Decision::Running) => take(field, &mut flag, is),
                    Some(Decision::File) => {
                        take(field, &mut flag, says);
                        note(field, &mut base, says);
                    }
                }
            }
        }
        if returned {
            self.returned.push(key.to_owned());
        }
        if held && !others && !returned {
            self.reviewed.push(key.to_owned());
        }
        flag.say_percentage();
        let planned = flag.has_plan_under_way();
        if planned && held {
            self.held.push(key.to_owned());
        }
        for conflict in &mut conflicts {
            conflict.planned = planned && Field::named(&conflict.field).is_some_and(Field::is_switch);
        }
        if !git || returned {
            self.tell_drift(key, &flag, says, &base, &conflicts);
        }
        let before = is.state.file.as_ref().map_or(&[][..], |file| &file.conflicts);
        for conflict in &mut conflicts {
            let kept = conflict.kept();
            let earlier =
                before.iter().find(|before| (&before.field, &before.file) == (&kept.field, &kept.file));
            conflict.since = earlier.map_or(asked.now, |earlier| earlier.since);
            self.opened.extend(earlier.is_none().then(|| conflict.clone()));
        }
        let kept: Vec<KeptConflict> = conflicts.iter().map(Conflict::kept).collect();
        self.conflicts.extend(conflicts);
        flag.state.file = match (&base, &is.state.file) {
            (Cow::Borrowed(_), Some(file)) if file.conflicts == kept => Some(Arc::clone(file)),
            (_, file) => {
                let shared = file.as_ref().map(|file| file.shared.clone()).unwrap_or_default();
                Some(Arc::new(FileState { base: base.into_owned(), conflicts: kept, shared }))
            }
        };
        flag
    }

    fn tell_drift(&mut self, key: &str, flag: &Flag, says: &Flag, base: &Flag, conflicts: &[Conflict]) {
        let mut found = drift::differences(key, flag, says, base);
        found.retain(|drift| conflicts.iter().all(|conflict| conflict.field != drift.field));
        if flag.is_as_its_plan_left_it() {
            found.retain(|drift| drift.field != "percentage");
        }
        if flag.has_plan_under_way() {
            let count = found.len();
            found.retain(|drift| Field::named(drift.field).is_none_or(|field| !field.is_switch()));
            if found.len() < count {
                self.planned.push(key.to_owned());
            }
        }
        self.drift.extend(found);
    }
}

/// True if the file decides the flag: `"managed": "git"`.
pub(super) fn is_managed(is: &Flag, says: &Flag) -> bool {
    let managed = if says.written.has(FieldSet::MANAGED) { says.managed } else { is.managed };
    managed == Managed::Git
}

/// A flag of a file, without the state that a store keeps.
fn said(says: &Flag) -> Flag {
    Flag { state: FlagState::default(), ..says.clone() }
}

/// The base of a flag whose last file is not known: the file at hand; for fields that it does not write, the running values.
fn first_base(is: &Flag, says: &Flag) -> Flag {
    said_over(&Flag { state: FlagState::default(), ..is.clone() }, says, is)
}

/// The base after the file was published whole.
fn said_over(base: &Flag, says: &Flag, is: &Flag) -> Flag {
    let mut next = base.clone();
    next.companies =
        companies::said(&says.companies, says.written, &base.companies, &is.companies).into_owned();
    for field in FIELDS.iter().filter(|field| field.name != COMPANIES && says.written.has(field.written)) {
        take(field, &mut next, says);
    }
    next
}

/// A flag that returns to the file: the file's values, but on for no more companies than before.
fn narrower(is: &Flag, says: &Flag) -> Flag {
    let mut flag = said_over(is, says, is);
    flag.state = FlagState { orphaned: None, ..is.state.clone() };
    let same = |field: &&Field| field.is_switch() || !field.is_answering() || (field.same)(is, &flag);
    let comparable = FIELDS.iter().all(|field| same(&field));
    flag.enabled = flag.enabled && is.enabled && comparable;
    flag.companies = companies::narrower(&is.companies, &flag.companies);
    let share = FIELDS.iter().find(|field| field.name == "percentage");
    if share.is_some_and(|share| !(share.same)(is, &flag)) {
        let least = lowest(is).min(lowest(&flag));
        flag.schedule.clear();
        flag.rollout.get_or_insert_with(Rollout::everybody).percentage = least;
    }
    flag.emergency = match is.emergency == flag.emergency {
        true => flag.emergency,
        false => crate::definition::Emergency::Off,
    };
    flag
}

/// The lowest percentage of a flag at any time.
fn lowest(flag: &Flag) -> Percentage {
    let now = flag.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage);
    flag.schedule.iter().map(|step| step.percentage).fold(now, Percentage::min)
}
