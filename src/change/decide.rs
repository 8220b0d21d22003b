//! What a flag is to say after a change. The only place that decides it.

use crate::definition::{CompanyId, Flag, Percentage, Rollout};
use std::collections::BTreeSet;

/// A change to one flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// On for a percentage, or for companies.
    ///
    /// With companies and no percentage, a flag that is off becomes a pilot: 0 %, those companies allowed; one that is on lets
    /// them in besides.
    Enable {
        /// Whom it reaches by chance.
        percentage: Option<Percentage>,
        /// Let in whatever the percentage.
        companies: Vec<CompanyId>,
    },
    /// On for whom the flag says: as before it was disabled. Refused where that is nobody.
    Restore,
    /// Off for everybody. What else the flag says stays.
    Disable,
    /// Another percentage. A flag that is off stays off.
    Rollout(Percentage),
    /// On for these companies, once the flag is on.
    Allow(Vec<CompanyId>),
    /// Off for these companies, whatever else the flag says.
    Deny(Vec<CompanyId>),
    /// For these companies what the flag says in general.
    Forget(Vec<CompanyId>),
    /// A new flag, off.
    Add {
        /// For people.
        description: Option<String>,
        /// Whom to ask about it.
        owner: Option<String>,
        /// `YYYY-MM-DD`.
        expires: Option<String>,
    },
}

impl Edit {
    /// Companies that one change may name. The audit trail has their number and the first of them.
    pub const COMPANIES: usize = 1_000_000;

    /// The companies named.
    pub(super) fn companies(&self) -> &[CompanyId] {
        match self {
            Edit::Enable { companies, .. }
            | Edit::Allow(companies)
            | Edit::Deny(companies)
            | Edit::Forget(companies) => companies,
            Edit::Restore | Edit::Disable | Edit::Rollout(_) | Edit::Add { .. } => &[],
        }
    }

    /// The flag as it is to be; `before` is none for a flag that is added.
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
            Edit::Disable => flag.enabled = false,
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

/// The percentage that holds from now on: a schedule would take over from it, so it ends here.
fn set_percentage(flag: &mut Flag, percentage: Percentage) {
    flag.rollout.get_or_insert_with(Rollout::everybody).percentage = percentage;
    flag.schedule.clear();
}

/// Lets companies in. Who allows some has to say what the others get: as before, everybody.
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

/// Lists are sorted, and hold each company once.
fn add(list: &mut Vec<CompanyId>, companies: &[CompanyId]) {
    list.extend_from_slice(companies);
    list.sort_unstable();
    list.dedup();
}
