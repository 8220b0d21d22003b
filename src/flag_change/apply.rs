//! Decides the result of a change to a flag; no other module does.

use crate::definition::{CompanyId, Flag, Percentage, Rollout};
use std::collections::BTreeSet;

/// A change to one flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Turns the flag on for a percentage, or for companies.
    ///
    /// With companies and no percentage, a flag that is off becomes a pilot: 0 %, those companies allowed; a flag that is on lets them
    /// in besides.
    Enable {
        /// Percentage of companies.
        percentage: Option<Percentage>,
        /// Companies allowed whatever the percentage.
        companies: Vec<CompanyId>,
    },
    /// Turns it on again with the settings from before it was disabled. Refused if they reach no company.
    Restore,
    /// Turns it off for everybody. The other fields stay.
    Disable,
    /// Sets another percentage. A flag that is off stays off.
    Rollout(Percentage),
    /// Allows these companies: on for them once the flag is on.
    Allow(Vec<CompanyId>),
    /// Denies these companies: off for them whatever else the flag says.
    Deny(Vec<CompanyId>),
    /// Removes these companies from both lists.
    Forget(Vec<CompanyId>),
    /// Deletes the flag. Refused while the published file has it, or another flag requires it.
    Delete,
    /// Adds a flag, which is off.
    Add {
        /// Free text about the flag.
        description: Option<String>,
        /// The person or team to ask about it.
        owner: Option<String>,
        /// The day after which it should be gone: `YYYY-MM-DD`.
        expires: Option<String>,
    },
}

impl Edit {
    /// Maximum number of companies in one change. The audit trail has their number and the first of them.
    pub const COMPANIES: usize = 1_000_000;

    /// The companies that it names.
    pub fn companies(&self) -> &[CompanyId] {
        match self {
            Edit::Enable { companies, .. }
            | Edit::Allow(companies)
            | Edit::Deny(companies)
            | Edit::Forget(companies) => companies,
            Edit::Restore | Edit::Disable | Edit::Rollout(_) | Edit::Delete | Edit::Add { .. } => &[],
        }
    }

    /// The flag after the change; `before` is `None` for a flag that is added.
    pub(super) fn decide(&self, before: Option<&Flag>) -> Flag {
        let mut flag = before.cloned().unwrap_or_else(|| Flag::new(false));
        match self {
            Edit::Enable { percentage: Some(percentage), companies } => {
                flag.enabled = true;
                set_percentage(&mut flag, *percentage);
                allow(&mut flag, companies);
            }
            Edit::Enable { percentage: None, companies } => {
                if !flag.enabled && !companies.is_empty() {
                    set_percentage(&mut flag, Percentage::NONE);
                }
                flag.enabled = true;
                allow(&mut flag, companies);
            }
            Edit::Restore => flag.enabled = true,
            // A flag cannot express its own deletion; off comes closest.
            Edit::Disable | Edit::Delete => flag.enabled = false,
            Edit::Rollout(percentage) => set_percentage(&mut flag, *percentage),
            Edit::Allow(companies) => allow(&mut flag, companies),
            Edit::Deny(companies) => {
                forget(&mut flag, companies);
                add(&mut flag.companies.deny, companies);
            }
            Edit::Forget(companies) => forget(&mut flag, companies),
            Edit::Add { description, owner, expires } => {
                flag.description.clone_from(description);
                flag.owner.clone_from(owner);
                flag.expires.clone_from(expires);
            }
        }
        flag
    }
}

/// Sets the percentage from now on, and ends a schedule, which would override it.
fn set_percentage(flag: &mut Flag, percentage: Percentage) {
    flag.rollout.get_or_insert_with(Rollout::everybody).percentage = percentage;
    flag.schedule.clear();
}

/// Allows companies. A flag that allows some needs a percentage for the others: as before, everybody.
fn allow(flag: &mut Flag, companies: &[CompanyId]) {
    if companies.is_empty() {
        return;
    }
    forget(flag, companies);
    add(&mut flag.companies.allow, companies);
    flag.rollout.get_or_insert_with(Rollout::everybody);
}

fn forget(flag: &mut Flag, companies: &[CompanyId]) {
    let gone: BTreeSet<&CompanyId> = companies.iter().collect();
    for list in [&mut flag.companies.allow, &mut flag.companies.deny] {
        list.retain(|company| !gone.contains(company));
    }
}

/// Adds to a list, which is sorted and has no duplicates.
fn add(list: &mut Vec<CompanyId>, companies: &[CompanyId]) {
    list.extend_from_slice(companies);
    list.sort_unstable();
    list.dedup();
}
