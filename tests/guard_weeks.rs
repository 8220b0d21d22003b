//! Whether the guard's idea of what is usual holds in a noisy month: a page's rate of errors differs from hour to hour, or from day to
//! day, and its flag, which everybody has, is changed every three days.
//!
//! `make test` plays 12 days of one store. By hand, as docs/guard-measurements.md has it:
//!
//! ```text
//! PLAYS=100 cargo test --release --test guard_weeks -- --nocapture
//! ```

mod support;

use flagstone::guard::{Guard, Policy, Reading, Sample};
use flagstone::telemetry::{Cohort, Exposure, GROUPS, duration};
use support::random::Random;

const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_767_571_200 * SECOND;
const HOUR: i64 = 3600 * SECOND;
/// A flag's past of a week is known after that many days.
const KNOWN: i64 = 8;

/// A kind of store.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    /// The usual rate of errors, of the flag's page and of the others.
    errors: f64,
    /// Requests a second, of each.
    requests: f64,
    /// Hours differ by this factor, days by that.
    hours: f64,
    days: f64,
    /// Each first day of a week has so many times the errors.
    first_day: f64,
}

const WORLDS: [World; 4] = [
    World { name: "hours differ", errors: 0.005, requests: 20.0, hours: 1.8, days: 1.0, first_day: 1.0 },
    World {
        name: "hours differ, few requests",
        errors: 0.005,
        requests: 2.0,
        hours: 1.8,
        days: 1.0,
        first_day: 1.0,
    },
    World {
        name: "hours and days differ",
        errors: 0.005,
        requests: 20.0,
        hours: 1.5,
        days: 1.5,
        first_day: 1.0,
    },
    World {
        name: "hours differ, and each week's first day",
        errors: 0.002,
        requests: 20.0,
        hours: 1.5,
        days: 1.0,
        first_day: 6.0,
    },
];

/// Some seconds of a page.
fn pass(random: &mut Random, cohort: &mut Cohort, total: &mut Cohort, requests: f64, errors: f64) {
    /// 120 ms in the median, as shares in ten thousandths.
    const DURATIONS: [(u64, u64); 6] =
        [(30_000, 1000), (80_000, 2500), (120_000, 3000), (200_000, 2500), (350_000, 800), (600_000, 200)];
    for group in 0..GROUPS {
        let (mut count, mut time) = (0, 0);
        for (micros, share) in DURATIONS {
            let some = random.poisson(requests * share as f64 / 10_000.0 / GROUPS as f64);
            cohort.durations[duration::bucket(micros)] += some;
            total.durations[duration::bucket(micros)] += some;
            count += some;
            time += some * micros;
        }
        let failed = random.poisson(count as f64 * errors).min(count);
        for cohort in [&mut *cohort, &mut *total] {
            cohort.requests += count;
            cohort.errors += failed;
            cohort.groups[group].requests += count;
            cohort.groups[group].errors += failed;
            cohort.groups[group].time += time;
        }
    }
}

/// So many times the errors are played as harm.
const HARMS: [f64; 2] = [5.0, 10.0];

/// What a month came to.
#[derive(Default)]
struct Month {
    /// Changes that did no harm, and times that the flag was taken back although it did none.
    changes: u64,
    acts: u64,
    /// Changes from the second week on, played with five and ten times the errors that the hour had, and how many were found within
    /// two hours.
    harmful: u64,
    found: [u64; 2],
}

#[derive(Clone)]
struct Store {
    random: Random,
    guard: Guard,
    now: i64,
    changed: i64,
    exposure: Exposure,
    total: Cohort,
}

impl Store {
    fn pass(&mut self, world: &World, rate: f64, harm: f64, seconds: i64) -> bool {
        self.now += seconds * SECOND;
        let requests = world.requests * seconds as f64;
        pass(&mut self.random, &mut self.exposure.on, &mut self.total, requests, (rate * harm).min(1.0));
        pass(&mut self.random, &mut Cohort::default(), &mut self.total, requests, world.errors);
        let policy = Policy::default();
        let sample = Sample::new("f", Reading::new(self.now, 1, self.changed, &self.exposure), &policy);
        let act = self.guard.watch(self.now, &[sample], Some((&self.total, 1))).act;
        if let Some(act) = &act {
            self.guard.record_act(self.now, act, &policy);
        }
        act.is_some()
    }
}

/// `every`: hours between two changes.
fn month(world: &World, seed: u64, days: i64, every: i64) -> Month {
    let random = Random(seed.wrapping_mul(0xD1B5_4A32_D192_ED03));
    let (exposure, total) = (Exposure::default(), Cohort::default());
    let mut store =
        Store { random, guard: Guard::new(), now: BEGIN, changed: BEGIN - 720 * HOUR, exposure, total };
    let (mut month, mut day) = (Month::default(), 1.0);
    for hour in 0..days * 24 {
        let mut random = Random(seed ^ (hour as u64).wrapping_mul(0xA24B_AED4_963E_E407));
        if hour % 24 == 0 {
            day = (random.normal() * world.days.ln()).exp();
            if hour / 24 % 7 == 0 {
                day *= world.first_day;
            }
        }
        let rate = world.errors * day * (random.normal() * world.hours.ln()).exp();
        // At another hour of the day each time.
        if hour % every == every - 1 {
            store.changed = store.now + SECOND;
            month.changes += 1;
            if hour >= KNOWN * 24 {
                month.harmful += 1;
                for (found, times) in month.found.iter_mut().zip(HARMS) {
                    let mut harmed = store.clone();
                    *found += u64::from((0..720).any(|_| harmed.pass(world, rate, times, 10)));
                }
            }
        }
        for _ in 0..60 {
            month.acts += u64::from(store.pass(world, rate, 1.0, 60));
        }
    }
    month
}

#[test]
fn a_flag_in_a_noisy_month_is_left_alone_and_five_times_the_errors_are_found() {
    let number =
        |name: &str, few: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(few);
    let (first, plays) = (number("SEED", 1), number("PLAYS", 0));
    let quick = plays == 0;
    let (plays, worlds) = if quick { (1, 1) } else { (plays, WORLDS.len()) };
    let (days, every) = if quick { (12, 29) } else { (28, 77) };
    for world in &WORLDS[..worlds] {
        let mut sum = Month::default();
        let mut stores = 0;
        for seed in first..first + plays {
            let month = month(world, seed, days, every);
            stores += u64::from(month.acts > 0);
            sum.changes += month.changes;
            sum.acts += month.acts;
            sum.harmful += month.harmful;
            (0..HARMS.len()).for_each(|harm| sum.found[harm] += month.found[harm]);
        }
        println!(
            "{:<44} {stores} of {plays} stores with false acts, {} acts in {} changes; 5 and 10 times the errors found in {} and {} of {}",
            world.name, sum.acts, sum.changes, sum.found[0], sum.found[1], sum.harmful
        );
        if quick {
            assert_eq!(sum.acts, 0, "{}", world.name);
            assert!(sum.found[1] > 0 && sum.harmful > 0, "{}", world.name);
        }
    }
}
