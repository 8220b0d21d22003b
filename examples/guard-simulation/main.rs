//! Plays thousands of rollouts to see how well the guard does.
//!
//!     cargo run --release --example guard-simulation [quiet|errors|ten|slow|page|month ...] [chart=FILE]
//!
//! Without words all but `month` is played; `chart=FILE` draws what `ten` shows, as SVG. Every number is drawn from seeds, so that two runs print the same table. `docs/guard-measurements.md` tells what is played. Ends with 1
//! where the guard falls short of what it promises.

mod chance;
mod chart;
mod layout;
mod play;
mod report;
mod world;

use play::{Off, Scene, play};
use report::{Promise, Report, heading};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use world::Companies;

/// Plays as many as there are to be, on all processors, in the order of their seeds.
fn plays<T: Send>(count: u64, one: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut played = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return played;
            }
            played.push((seed, one(seed + 1)));
        }
    };
    let mut played: Vec<(u64, T)> = std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a play does not panic")).collect()
    });
    played.sort_by_key(|(seed, _)| *seed);
    played.into_iter().map(|(_, one)| one).collect()
}

fn main() -> ExitCode {
    let (charts, asked): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("chart="));
    let parts: [(&str, Part); 6] = [
        ("quiet", quiet),
        ("errors", errors),
        ("ten", ten),
        ("slow", slow),
        ("page", page),
        ("month", month),
    ];
    if asked.iter().any(|word| !parts.iter().any(|(name, _)| name == word)) {
        eprintln!("guard-simulation: found {asked:?}, expected any of quiet, errors, ten, slow, page, month");
        return ExitCode::from(2);
    }
    let mut report = Report::default();
    let wanted = |name: &str| match asked.is_empty() {
        true => name != "month",
        false => asked.iter().any(|word| word == name),
    };
    for (_, part) in parts.iter().filter(|(name, _)| wanted(name)) {
        part(&mut report);
    }
    if let Some(path) = charts.first().and_then(|word| word.strip_prefix("chart=")) {
        let lines: Vec<_> =
            report.lines.drain(..).filter(|(name, ..)| TEN.contains(&name.as_str())).collect();
        if let Err(error) = chart::write(path.as_ref(), &lines) {
            eprintln!("guard-simulation: {path}: {error}");
            return ExitCode::from(2);
        }
    }
    report.end()
}

fn show(report: &mut Report, name: &str, scene: Scene, count: u64, promise: Promise) {
    report.row(name, &plays(count, |seed| play(&scene, seed)), promise);
}

/// Some of the table.
type Part = fn(&mut Report);

const RATES: [(&str, f64); 4] = [("0.1 %", 0.001), ("1 %", 0.01), ("5 %", 0.05), ("20 %", 0.2)];
const UNEQUAL: Companies = Companies::Unequal(300);
const DAY: Scene = Scene { hours: 24.0, ..Scene::USUAL };

/// The same as the first part of `quiet`, a minute at a time, often enough to tell how rarely a rollout that does no harm is rolled back.
fn month(report: &mut Report) {
    month_of(report, 40, 60.0);
}

fn month_of(report: &mut Report, count: u64, step: f64) {
    heading("No harm: 30 days, days and nights, outages, companies' bursts of errors");
    let quiet = Scene { life: true, step, ..Scene::USUAL };
    for (name, errors) in RATES {
        let scene = Scene { errors, ..quiet };
        show(report, &format!("{name} errors, companies alike"), scene, count, Promise::Never);
        let scene = Scene { companies: UNEQUAL, ..scene };
        show(report, &format!("{name} errors, companies unequal"), scene, count, Promise::Never);
    }
    let half = Scene { stages: &[(0.1, 0.01), (1.0, 0.1), (2.0, 0.5)], ..quiet };
    show(report, "1 % errors, in stages to half of all", half, count, Promise::Never);
    let stages = &[(0.1, 0.1), (3.0, 0.5), (6.0, 1.0)];
    let gate = Scene { off: Off::Gate, errors: 0.003, stages, step, ..Scene::USUAL };
    show(report, "a gate in stages, 0.3 % errors, on 120 ms", gate, count, Promise::Never);
    show(report, "a gate that nobody tells of", Scene { off: Off::BareGate, ..gate }, count, Promise::Never);
}

/// No harm, or harm to one company: nothing is to be turned off.
fn quiet(report: &mut Report) {
    month_of(report, 25, 20.0);
    heading("Harm to one company, for a day, or to everybody, on and off, for five minutes");
    let failing = Scene { odd: Some((0.3, 1.0)), ..DAY };
    show(report, "the largest company: 30 % errors", failing, 100, Promise::Never);
    show(
        report,
        "the same, of unequal companies",
        Scene { companies: UNEQUAL, ..failing },
        100,
        Promise::Never,
    );
    let slow = Scene { odd: Some((0.01, 100.0)), companies: UNEQUAL, ..DAY };
    show(report, "the largest company: 100 times as slow", slow, 100, Promise::Never);
    for (name, outage) in [("20 %", 0.2), ("90 %", 0.9)] {
        let scene = Scene { outage, hours: 2.0, ..Scene::USUAL };
        show(report, &format!("{name} of all requests fail, on and off"), scene, 200, Promise::Never);
    }
}

fn errors(report: &mut Report) {
    heading("Errors, at 200 requests a second, rolled out to 10 %");
    for (name, errors) in RATES {
        for factor in [1.5, 2.0, 5.0, 10.0] {
            let (count, hours, promise) = match factor {
                5.0 => (200, 720.0, Promise::Found),
                10.0 => (200, 720.0, Promise::None),
                _ => (50, 2.0, Promise::None),
            };
            let scene = Scene { errors, factor, hours, ..Scene::USUAL };
            show(report, &format!("{name} errors, {factor} times as many"), scene, count, promise);
        }
    }
}

/// What the chart shows.
const TEN: [&str; 8] = [
    "from the beginning of the rollout",
    "companies unequal",
    "two hours into the rollout",
    "rolled out to 1 %, of 3000 companies",
    "rolled out to half",
    "2 requests a second",
    "a gate, in its second stage",
    "a gate, in its first stage",
];

fn ten(report: &mut Report) {
    heading("1 % to 10 % errors");
    let ten = Scene { factor: 10.0, hours: 24.0, ..Scene::USUAL };
    let found = Promise::Found;
    show(report, TEN[0], ten, 1000, Promise::Within(10.0));
    show(report, TEN[1], Scene { companies: UNEQUAL, ..ten }, 200, found);
    show(report, TEN[2], Scene { harm_after: 7200.0, ..ten }, 100, found);
    let few = Scene { stages: &[(0.1, 0.01)], companies: Companies::Alike(3000), ..ten };
    show(report, TEN[3], few, 100, found);
    show(report, TEN[4], Scene { stages: &[(0.1, 0.5)], ..ten }, 100, found);
    show(report, TEN[5], Scene { rate: 2.0, ..ten }, 100, found);
    let gate = Scene { off: Off::Gate, ..ten };
    show(report, TEN[6], Scene { stages: &[(0.1, 0.1), (3.0, 0.5)], ..gate }, 100, found);
    show(report, TEN[7], gate, 100, found);
}

fn slow(report: &mut Report) {
    heading("Slower requests, at 200 requests a second, rolled out to 10 %, for six hours");
    for slower in [1.5, 2.0, 3.0, 5.0, 10.0] {
        let scene = Scene { slower, hours: 6.0, ..DAY };
        show(report, &format!("{slower} times as slow"), scene, 50, Promise::None);
    }
    let scene = Scene { slower: 5.0, companies: UNEQUAL, hours: 6.0, ..DAY };
    show(report, "5 times as slow, companies unequal", scene, 50, Promise::None);
}

fn page(report: &mut Report) {
    heading("A page that asks 20 flags, one of which makes 1 % errors 10 %");
    report.layout(&plays(100, layout::play));
}
