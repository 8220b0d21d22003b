//! One flag of a file merged into the flag that runs.

use super::companies::{self, MergedCompanies};
use super::conflict::Conflict;
use super::drift;
use super::fields::{COMPANIES, FIELDS, Field};
use super::outcome::Outcome;
use super::{Asked, Merged, Options};
use crate::definition::{FileState, Flag, FlagState, KeptConflict, Managed, Percentage, Rollout, Written};
use std::borrow::Cow;
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
            // An older release moves no base.
            return flag;
        }
        flag.state.file = Some(Arc::new(FileState { base: said(says), conflicts: Vec::new() }));
        flag
    }

    /// A flag of an older release: it stays as it runs.
    pub(super) fn older_flag(&mut self, key: &str, is: &Flag, says: &Flag) -> Flag {
        self.tell_drift(key, is, says, is.state.base().unwrap_or(says), &[]);
        is.clone()
    }

    pub(super) fn flag(&mut self, key: &str, is: &Flag, says: &Flag, asked: &Asked) -> Flag {
        let mut flag = is.clone();
        let managed = if says.written.has(Written::MANAGED) { says.managed } else { is.managed };
        let git = managed == Managed::Git;
        // Copied where it changes: lists of companies may be long.
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
            let reset = asked.reset.has(key, field);
            let settle = asked.settle.has(key, field);
            if field.name == COMPANIES {
                let says_companies = companies::said(&says.companies, says.written, &base.companies);
                self.tell_unsaid_companies(key, says, &base, &flag);
                if reset || git {
                    let wins = if reset { Cow::Borrowed(&says.companies) } else { says_companies };
                    if flag.companies != *wins {
                        flag.companies.clone_from(&wins);
                    }
                    if base.companies != *wins {
                        base.to_mut().companies = wins.into_owned();
                    }
                } else if let Some(merged) =
                    companies::merge(&says_companies, &base.companies, &flag.companies)
                {
                    let MergedCompanies { running, base: next, conflicts: found } = merged;
                    flag.companies = running;
                    base.to_mut().companies = if settle { says_companies.into_owned() } else { next };
                    if !found.is_empty() && !settle {
                        conflicts.push(Conflict::of_companies(key, found));
                    }
                }
            } else {
                let written = says.written.has(field.written);
                if reset || (git && written) {
                    take(field, &mut flag, says);
                    note(field, &mut base, says);
                } else if !written {
                    if !(field.same)(says, &base) {
                        self.unsaid.push(drift::one(key, field, &flag, says));
                    }
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
                        Outcome::Conflict if settle => note(field, &mut base, says),
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
            base = Cow::Owned(said_over(&base, says));
            flag = narrower(is, says);
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
        let kept: Vec<KeptConflict> = conflicts.iter().map(Conflict::kept).collect();
        self.conflicts.extend(conflicts);
        flag.state.file = match (&base, &is.state.file) {
            (Cow::Borrowed(_), Some(file)) if file.conflicts == kept => Some(Arc::clone(file)),
            _ => Some(Arc::new(FileState { base: base.into_owned(), conflicts: kept })),
        };
        flag
    }

    fn tell_drift(&mut self, key: &str, flag: &Flag, says: &Flag, base: &Flag, conflicts: &[Conflict]) {
        let mut found = drift::of(key, flag, says, base);
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

    /// Lists of companies that the file had, and no longer writes.
    fn tell_unsaid_companies(&mut self, key: &str, says: &Flag, base: &Flag, flag: &Flag) {
        let unsaid = (!says.written.has(Written::ALLOW) && !base.companies.allow.is_empty())
            || (!says.written.has(Written::DENY) && !base.companies.deny.is_empty());
        if unsaid {
            let field = FIELDS.iter().find(|field| field.name == COMPANIES);
            self.unsaid.extend(field.map(|field| drift::one(key, field, flag, says)));
        }
    }
}

fn take(field: &Field, to: &mut Flag, from: &Flag) {
    if !(field.same)(to, from) {
        (field.take)(to, from);
    }
}

/// Notes in the base what the file says of a field.
fn note(field: &Field, base: &mut Cow<Flag>, says: &Flag) {
    if !(field.same)(base, says) {
        (field.take)(base.to_mut(), says);
    }
}

/// A flag as a file says it, without what a store keeps.
fn said(says: &Flag) -> Flag {
    Flag { state: FlagState::default(), ..says.clone() }
}

/// The base of a flag whose last file is not known: the file at hand; of what that does not write, what runs.
fn first_base(is: &Flag, says: &Flag) -> Flag {
    said_over(&Flag { state: FlagState::default(), ..is.clone() }, says)
}

/// The base after a file was published whole.
fn said_over(base: &Flag, says: &Flag) -> Flag {
    let mut next = base.clone();
    next.companies = companies::said(&says.companies, says.written, &base.companies).into_owned();
    for field in FIELDS.iter().filter(|field| field.name != COMPANIES && says.written.has(field.written)) {
        take(field, &mut next, says);
    }
    next
}

/// A flag that comes back into the file: as the file says it, but on for no more than what ran.
fn narrower(is: &Flag, says: &Flag) -> Flag {
    let mut flag = said_over(is, says);
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

/// The lowest percentage that a flag says for any time.
fn lowest(flag: &Flag) -> Percentage {
    let now = flag.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage);
    flag.schedule.iter().map(|step| step.percentage).fold(now, Percentage::min)
}
