//! Clocks: schedules and ages depend on them.

use super::{CLOCK, Report, TIME_SYNC};
use crate::{display, process};
use flagstone::publish::StoreStatus;
use flagstone::time::parse_rfc3339;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Microseconds by which clocks of one machine differ at most; those of two that share a store should, too.
const MAX_CLOCK_DIFFERENCE_MICROS: i64 = 2_000_000;
/// Timeout for the answer about synchronization.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// The file that systemd-timesyncd writes once it has the time.
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";
const MEND: &str = "look at the clock (date --utc), and let the machine keep it: timedatectl set-ntp true";

pub fn checks(status: &StoreStatus, report: &mut Report) {
    match future(status, flagstone::time::now()) {
        None => report.passed(
            CLOCK,
            format!("{} now; nothing in the head is later", display::at(flagstone::time::now())),
        ),
        Some(what) => report.failed(CLOCK, what, MEND),
    }
    if Path::new(TIMESYNCD).exists() {
        return report.passed(TIME_SYNC, "systemd-timesyncd has the time");
    }
    let mut ask = Command::new("timedatectl");
    process::own_environment(&mut ask);
    ask.args(["show", "--property=NTPSynchronized", "--value"]);
    match process::run(ask, None, ANSWER_TIMEOUT) {
        Ok(Some(ran)) if ran.out.trim() == "yes" => {
            report.passed(TIME_SYNC, "timedatectl says that the clock is synchronised")
        }
        Ok(Some(ran)) if ran.out.trim() == "no" => {
            report.warned(TIME_SYNC, "timedatectl says that the clock is not synchronised", MEND);
        }
        _ => report.unknown(
            TIME_SYNC,
            "timedatectl does not tell (a container has its host's clock)",
            Some(
                "where the clock is kept, look at its synchronisation: timedatectl, or chronyc tracking"
                    .to_owned(),
            ),
        ),
    }
}

/// The first date in the head that lies in the future.
fn future(status: &StoreStatus, now: i64) -> Option<String> {
    let mut times = vec![("the store was made", Some(status.created.as_str()))];
    times.push(("the current generation was published", status.published_at.as_deref()));
    times.push(("everything was stopped", status.stopped.as_deref()));
    times.extend(status.killed.iter().map(|killed| ("a flag was killed", Some(killed.since.as_str()))));
    times.into_iter().find_map(|(what, at)| {
        let at = parse_rfc3339(at?.as_bytes())?;
        (at > now + MAX_CLOCK_DIFFERENCE_MICROS).then(|| {
            let ahead = (at - now) / 1_000_000;
            format!(
                "{what} {ahead} s in the future ({}): this clock is behind, or that one was ahead",
                display::at(at)
            )
        })
    })
}
