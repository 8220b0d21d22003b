//! The published flags: states to review before the next deployment.

use super::store::Opened;
use super::{BORN_ON, CONFLICTS, EXPIRED, OWNERS, PLANS, Report};
use crate::display;
use flagstone::definition::{Definitions, Flag, Percentage};
use flagstone::guard::{Action, Policy};
use flagstone::publish::{Store, Verdicts};
use std::collections::BTreeMap;

/// Names of environments in which a new flag should start off.
const PRODUCTION: [&str; 3] = ["production", "prod", "live"];
/// The newest generations, which are searched for new flags.
const RECENT: usize = 20;
/// The most flags that are named in a line.
const MAX_SHOWN_FLAGS: usize = 5;

/// Checks the published flags; none if the definitions cannot be read.
pub fn checks(opened: &Opened, report: &mut Report) {
    let Opened { store, status } = opened;
    let read = match status.generation {
        0 => Err("nothing is published".to_owned()),
        generation => read(store, generation),
    };
    let definitions = match read {
        Ok(read) => read,
        Err(error) => {
            for kind in [EXPIRED, OWNERS, BORN_ON, PLANS, CONFLICTS] {
                report.unknown(kind, error.clone(), None);
            }
            return;
        }
    };
    expired(&definitions, report);
    owners(&definitions, report);
    born_on(opened, &definitions, report);
    plans(store, &definitions, report);
    conflicts(&definitions, report);
}

/// Edits in a file that a publish with `--keep` left unanswered.
fn conflicts(definitions: &Definitions, report: &mut Report) {
    let open = flagstone::merge::open_conflicts(definitions);
    match open.is_empty() {
        true => report.passed(CONFLICTS, "no edit of a file waits for an answer"),
        false => report.warned(
            CONFLICTS,
            format!(
                "{} changed in the file and where the flag runs: {}",
                display::counted(open.len() as u64, "field"),
                display::some(open.iter().map(|found| format!("{}.{}", found.flag, found.field)), MAX_SHOWN_FLAGS)
            ),
            "flagstone publish FILE --reset FLAG.FIELD for the file's value, or --settle FLAG.FIELD for the one that runs",
        ),
    }
}

fn read(store: &Store, generation: u64) -> Result<Definitions, String> {
    store.definitions(generation).map_err(|error| display::plain(&error.to_string()).into_owned())
}

fn expired(definitions: &Definitions, report: &mut Report) {
    let today = display::today();
    let past = definitions.flags.iter().filter_map(|(key, flag)| {
        let day = flag.expires.as_deref().filter(|day| *day < today.as_str())?;
        Some(format!("{key} ({day})"))
    });
    let past: Vec<_> = past.collect();
    match past.is_empty() {
        true => report.passed(EXPIRED, "no flag is past its day"),
        false => report.warned(
            EXPIRED,
            format!("{} past the day it should be gone: {}", display::counted(past.len() as u64, "flag"), display::some(past.iter(), MAX_SHOWN_FLAGS)),
            "take what asks for it out of the code (flagstone scan DIR finds it), then the flag out of the file; or give it a later \"expires\"",
        ),
    }
}

fn owners(definitions: &Definitions, report: &mut Report) {
    let without = definitions
        .flags
        .iter()
        .filter(|(_, flag)| flag.owner.as_deref().is_none_or(|owner| owner.trim().is_empty()));
    let without: Vec<_> = without.map(|(key, _)| key).collect();
    match without.is_empty() {
        true => report.passed(OWNERS, "every flag has an owner"),
        false => report.warned(
            OWNERS,
            format!(
                "{} without an owner: {}",
                display::counted(without.len() as u64, "flag"),
                display::some(without.iter(), MAX_SHOWN_FLAGS)
            ),
            "write \"owner\": \"TEAM\" at each in the file, and publish it",
        ),
    }
}

/// Warns of a flag that the file brought into a production store on for every company, without a rollout, a rule or a list. Flags of the
/// oldest generation kept are taken as they are.
fn born_on(opened: &Opened, definitions: &Definitions, report: &mut Report) {
    let Opened { store, status } = opened;
    if !PRODUCTION.contains(&store.environment()) {
        return report
            .not_asked(BORN_ON, format!("{} is not production", display::plain(store.environment())));
    }
    let mut born: BTreeMap<String, Option<u64>> = BTreeMap::new();
    // Enough generations to see recent flags; reading them all takes long.
    let first = status.retained.len().saturating_sub(RECENT);
    for (place, generation) in status.retained.iter().skip(first).enumerate() {
        // A damaged generation is reported elsewhere, and one that a publish removed meanwhile is skipped.
        let Ok(definitions) = store.definitions(*generation) else { continue };
        for (key, flag) in definitions.flags {
            let suddenly = (place > 0 && full(&flag)).then_some(*generation);
            born.entry(key).or_insert(suddenly);
        }
    }
    let still = |key: &String| definitions.flags.get(key).is_some_and(full);
    let suddenly = born.iter().filter_map(|(key, generation)| {
        generation.filter(|_| still(key)).map(|generation| (key, generation))
    });
    let suddenly: Vec<_> =
        suddenly.map(|(key, generation)| format!("{key} (generation {generation})")).collect();
    match suddenly.is_empty() {
        true => report.passed(BORN_ON, "no new flag came on for everybody"),
        false => report.warned(
            BORN_ON,
            format!("{} came into production on for everybody: {}", display::counted(suddenly.len() as u64, "flag"), display::some(suddenly.iter(), MAX_SHOWN_FLAGS)),
            "let a new flag start off (\"enabled\": false) and enable it for pilots first: flagstone enable FLAG --company C",
        ),
    }
}

/// True if the flag is on for every company, at all times, by its definition alone.
fn full(flag: &Flag) -> bool {
    let everybody = flag.rollout.as_ref().is_none_or(|rollout| rollout.percentage == Percentage::FULL);
    flag.enabled && everybody && flag.schedule.is_empty() && flag.rules.is_empty() && flag.plan.is_none()
}

/// Warns of plans whose stages go on although nothing checks whether the feature does harm.
fn plans(store: &Store, definitions: &Definitions, report: &mut Report) {
    // A plan that is done or held goes on by nothing.
    let goes_on =
        |flag: &Flag| flag.plan.is_some() && flag.state.plan.as_ref().is_none_or(|plan| plan.is_running());
    let planned: Vec<_> = definitions.flags.iter().filter(|(_, flag)| goes_on(flag)).collect();
    let count = display::counted(planned.len() as u64, "flag");
    if planned.is_empty() {
        return report.passed(PLANS, "no flag has a plan that goes on by itself");
    }
    let named = || display::some(planned.iter().map(|(key, _)| key), MAX_SHOWN_FLAGS);
    let verdicts = store.verdicts(flagstone::time::now());
    if let Verdicts::Ended(at) = verdicts {
        let found = format!(
            "{count} with a plan, and the guard that they wait for ended, and last watched at or after {}: {}",
            display::at(at),
            named()
        );
        return report.warned(PLANS, found, "start it: systemctl restart flagstone");
    }
    if matches!(verdicts, Verdicts::Nobody) {
        let named = named();
        return report.warned(
            PLANS,
            format!("{count} with a plan, and no guard watches: {named}"),
            "stages go on by time alone: have the daemon run, which is the guard as well (flagstone run; examples/systemd/flagstone.service)",
        );
    }
    let unwatched =
        |flag: &Flag| Policy::of(flag.guard.as_ref()).is_none_or(|policy| policy.action == Action::Notify);
    let without: Vec<_> = planned.iter().filter(|(_, flag)| unwatched(flag)).map(|(key, _)| key).collect();
    match without.is_empty() {
        true => report.passed(PLANS, format!("{count} with a plan, and a guard watches")),
        false => report.warned(
            PLANS,
            format!("{} with a plan that the guard does not stop: {}", display::counted(without.len() as u64, "flag"), display::some(without.iter(), MAX_SHOWN_FLAGS)),
            "stages go on by time alone: be there when they do, or take \"guard\": false or \"action\": \"notify\" out of the file",
        ),
    }
}
