//! `doctor`: tells whether this machine is fit for a deployment, and how to mend it if not.

use crate::args::{Arguments, Doctor};
use crate::doctor::{self, Check, Report, State, Verdict};
use crate::output::{BAD, BOLD, Cell, DIM, Exit, GOOD, Outcome, Output, WARN};
use crate::progress::Progress;
use crate::{display, store_view};
use anstyle::Style;
use flagstone::audit::Actor;
use serde_json::{Value, json};

pub fn run(arguments: &Arguments, command: &Doctor, output: &mut Output) -> Outcome {
    let directory = store_view::directory(arguments)?;
    let progress = Progress::begin("looking at the store, at PHP and at the flags".to_owned());
    let mut report = Report::skipping(&command.skip);
    let skips_php = command.skips(doctor::PHP);
    let opened = doctor::store::open(&directory, &command.memory, &mut report);
    if let Some(opened) = &opened {
        doctor::store::checks(opened, command.kill_days, &command.memory, &mut report);
        doctor::config::checks(&opened.store, &mut report);
        if !skips_php {
            doctor::php::checks(command.php.as_deref(), opened, &mut report);
        }
        let fpm = command.fpm.as_ref().and_then(|socket| {
            doctor::fpm::checks(socket, command.fpm_script.as_deref(), opened, &mut report)
        });
        doctor::flags::checks(opened, &mut report);
        doctor::guard::checks(opened, fpm.as_ref(), &command.memory, &mut report);
        if let Some(code) = &command.code {
            doctor::code::checks(code, command.php.as_deref(), opened, &mut report);
        }
    }
    if skips_php {
        doctor::php::unasked(&mut report);
    }
    if command.fpm.is_none() {
        doctor::fpm::unasked(&mut report);
    }
    if command.code.is_none() {
        doctor::code::unasked(&mut report);
    }
    report.finish("the store could not be opened");
    drop(progress);
    let verdict = report.verdict(command.min_score);
    let environment = opened.as_ref().map(|opened| opened.store.environment());
    show(&report, verdict, command.min_score, environment, output);
    let checks: Vec<Value> = report.checks().iter().map(check_json).collect();
    output.json(&json!({
        "environment": environment,
        "machine": Actor::current().host,
        "store": directory,
        "verdict": verdict,
        "score": report.score(),
        "min_score": command.min_score,
        "checks": checks,
    }));
    match verdict {
        Verdict::Go => Ok(Exit::Yes),
        Verdict::NoGo => Ok(Exit::No),
        Verdict::Unknown => Ok(Exit::Unknown),
    }
}

fn show(report: &Report, verdict: Verdict, least: u32, environment: Option<&str>, output: &mut Output) {
    output.line(format!(
        "{} on {}",
        output.paint(BOLD, display::plain(environment.unwrap_or("no store"))),
        display::plain(&Actor::current().host)
    ));
    let rows: Vec<Vec<Cell>> = report.checks().iter().map(row).collect();
    output.table(&["STATE", "CHECK", "FOUND"], &rows);
    let mends: Vec<_> =
        report.checks().iter().filter_map(|check| Some((check, check.mend.as_ref()?))).collect();
    if !mends.is_empty() {
        output.line("");
        output.line(output.paint(BOLD, "To mend"));
    }
    for (check, mend) in mends {
        output.line(format!("  {:<12} {}", output.paint(style(check), check.kind.name), mend));
        if check.state != State::Passed {
            output.line(output.paint(DIM, format!("  {:<12} {}", "", check.found)));
        }
    }
    output.line("");
    let score = report.score();
    let names = |state, all: bool| {
        let names =
            report.checks().iter().filter(|check| (all || check.kind.critical) && check.state == state);
        names.map(|check| check.kind.name).collect::<Vec<_>>().join(", ")
    };
    output.line(match verdict {
        Verdict::Go => {
            format!("{}: score {score} of 100, at least {least} asked for", output.paint(GOOD, "go"))
        }
        Verdict::NoGo if !names(State::Failed, true).is_empty() => {
            format!(
                "{}: {} failed, whatever the score ({score} of 100)",
                output.paint(BAD, "no-go"),
                names(State::Failed, true)
            )
        }
        Verdict::NoGo => {
            format!("{}: score {score} of 100, at least {least} asked for", output.paint(BAD, "no-go"))
        }
        Verdict::Unknown => {
            format!(
                "{}: {} could not be checked (score {score} of 100)",
                output.paint(WARN, "could not tell"),
                names(State::Unknown, false)
            )
        }
    });
}

fn row(check: &Check) -> Vec<Cell> {
    vec![
        Cell { text: check.state.name().to_owned(), style: style(check) },
        Cell::of(check.kind.name),
        Cell::of(check.found.clone()),
    ]
}

fn style(check: &Check) -> Style {
    match check.state {
        State::Passed => GOOD,
        State::Failed => BAD,
        State::Warned | State::Unknown => WARN,
        State::NotAsked => DIM,
    }
}

fn check_json(check: &Check) -> Value {
    json!({
        "check": check.kind.name,
        "state": check.state,
        "weight": check.kind.weight,
        "critical": check.kind.critical,
        "found": check.found,
        "mend": check.mend,
    })
}
