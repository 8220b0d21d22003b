//! What the guard does in outages, and to flags that are to blame: plays drawn from seeds, at 100 requests a second that ask the
//! flags and as many that ask none.
//!
//! `make test` plays few of each. By hand, 10,000 of each, with the table of docs/guard.md:
//!
//! ```text
//! PLAYS=10000 cargo test --release --test guard_outages -- --nocapture
//! ```

use flagstone::guard::{Ground, Guard, Notice, Outcome, Policy, Reading, Sample};
use flagstone::telemetry::{Cohort, Exposure, GROUPS, duration};

const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_767_571_200 * SECOND;
const HOUR: i64 = 3600 * SECOND;

/// Requests a second that ask the flags, and that ask none.
const RATE: u64 = 100;

/// Random numbers by a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// So many on average, more or less.
    fn about(&mut self, mean: f64) -> u64 {
        let spread: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        (mean + mean.sqrt() * spread).round().max(0.0) as u64
    }
}

/// What is wrong with requests at one moment.
#[derive(Clone, Copy, Default)]
struct Ill {
    /// The share of requests that fails.
    errors: f64,
    /// They take so many times as long.
    slower: f64,
}

const WELL: Ill = Ill { errors: 0.002, slower: 1.0 };

/// One play.
#[derive(Clone, Copy)]
struct Scene {
    name: &'static str,
    flags: usize,
    /// The share of requests for which each flag is on.
    share: f64,
    /// Flags that were changed lately, and how long ago; the others were a month ago.
    changed: (usize, i64),
    /// Other pages are asked as well.
    others: bool,
    /// The first flag's plan entered a stage so many seconds before.
    stage: Option<i64>,
    /// What happens where the first flag is on.
    guilty: Option<Ill>,
    /// What happens on all pages; for how many seconds on average.
    outage: Option<(Ill, f64)>,
    /// The guilty flag's pages are ill for up to so many seconds after it was turned off.
    backlog: f64,
}

const CALM: Scene = Scene {
    name: "",
    flags: 1,
    share: 1.0,
    changed: (0, 0),
    others: true,
    stage: None,
    guilty: None,
    outage: None,
    backlog: 0.0,
};

/// What came of it.
#[derive(Default)]
struct Played {
    /// Seconds from the harm to the first act, bad responses until then, and which flag.
    acted: Option<(f64, u64, usize)>,
    acts: usize,
    ground: Option<Ground>,
    outcome: Option<Outcome>,
}

fn one(cohort: &mut Cohort, group: usize, failed: bool, micros: u64) {
    cohort.requests += 1;
    cohort.errors += u64::from(failed);
    cohort.durations[duration::bucket(micros)] += 1;
    let group = &mut cohort.groups[group];
    group.requests += 1;
    group.errors += u64::from(failed);
    group.time += micros;
}

fn play(scene: &Scene, seed: u64) -> Played {
    const KEYS: [&str; 20] = [
        "f00", "f01", "f02", "f03", "f04", "f05", "f06", "f07", "f08", "f09", "f10", "f11", "f12", "f13",
        "f14", "f15", "f16", "f17", "f18", "f19",
    ];
    let mut random = Random(seed);
    let policy = Policy::default();
    let mut guard = Guard::new();
    let mut exposures = vec![Exposure::default(); scene.flags];
    let mut off = vec![false; scene.flags];
    let mut total = Cohort::default();
    let quiet = 700 + (random.unit() * 300.0) as i64;
    let harm = BEGIN + quiet * SECOND;
    let length = scene.outage.map_or(900.0, |(_, mean)| random.exponential(mean).clamp(60.0, 900.0));
    let backlog = (random.unit() * scene.backlog * 1e6) as i64;
    let (mut now, mut played, mut turned_off) = (BEGIN, Played::default(), None);
    let changed = |flag: usize| match flag < scene.changed.0 {
        true => harm - scene.changed.1,
        false => BEGIN - 720 * HOUR,
    };
    let mut bad = 0;
    let end = harm + (length * 1e6) as i64 + 400 * SECOND;
    while now < end {
        let since = now - harm;
        // Seconds where it matters.
        let step = if (-30 * SECOND..120 * SECOND).contains(&since) || turned_off.is_some() { 1 } else { 10 };
        now += step * SECOND;
        let ill = since >= 0;
        let everywhere = match scene.outage {
            Some((outage, _)) if ill && (since as f64) < length * 1e6 => outage,
            _ => WELL,
        };
        for page in 0..1 + usize::from(scene.others) {
            for _ in 0..random.about((RATE * step as u64) as f64) {
                let group = (random.next() % GROUPS as u64) as usize;
                let mut mine = everywhere;
                let asks = page == 0;
                let mut on = [false; 20];
                if asks {
                    for (flag, on) in on.iter_mut().enumerate().take(scene.flags) {
                        *on = !off[flag] && (scene.share >= 1.0 || random.unit() < scene.share);
                    }
                    let drains = turned_off.is_some_and(|at: i64| now - at < backlog);
                    if let Some(guilty) = scene.guilty.filter(|_| ill && (on[0] || drains)) {
                        mine = guilty;
                    }
                }
                let failed = random.unit() < mine.errors;
                let micros = (120_000.0 * mine.slower * (0.5 + random.exponential(0.5))) as u64;
                bad += u64::from(ill && failed && asks && on[0]);
                one(&mut total, group, failed, micros);
                if asks {
                    for (exposure, on) in exposures.iter_mut().zip(on) {
                        let cohort = if on { &mut exposure.on } else { &mut exposure.off };
                        one(cohort, group, failed, micros);
                    }
                }
            }
        }
        let samples: Vec<Sample> = exposures
            .iter()
            .enumerate()
            .map(|(flag, exposure)| {
                let stage = scene.stage.filter(|ago| flag == 0 && now >= harm - ago * SECOND);
                let stage = stage.map(|ago| harm - ago * SECOND);
                let changed = stage.unwrap_or_else(|| changed(flag));
                // A flag that was not changed yet is as it was.
                let changed = if changed > now { BEGIN - 720 * HOUR } else { changed };
                Sample { stage, ..Sample::new(KEYS[flag], Reading::new(now, 1, changed, exposure), &policy) }
            })
            .collect();
        let decision = guard.watch(now, &samples, Some(&total));
        for notice in decision.notices {
            if let Notice::Outcome { outcome, .. } = notice {
                played.outcome = Some(outcome);
            }
        }
        if let Some(finding) = decision.act {
            let flag = KEYS.iter().position(|key| *key == finding.flag).unwrap_or(0);
            played.acts += 1;
            played.ground = Some(finding.ground);
            played.acted.get_or_insert(((now - harm) as f64 / 1e6, bad, flag));
            if finding.ground == Ground::Stage {
                return played;
            }
            off[flag] = true;
            turned_off.get_or_insert(now);
        }
        if played.outcome.is_some() && scene.outage.is_none() {
            return played;
        }
    }
    played
}

/// Plays of a scene: how many there were, acts, those who were acted on twice, and each outcome.
struct Tally {
    acted: u64,
    twice: u64,
    alone: u64,
    helped: u64,
    useless: u64,
    within_minute: u64,
    bad: Vec<u64>,
}

fn tally(scene: &Scene, plays: u64) -> Tally {
    let mut tally =
        Tally { acted: 0, twice: 0, alone: 0, helped: 0, useless: 0, within_minute: 0, bad: Vec::new() };
    for seed in 1..=plays {
        let played = play(scene, seed.wrapping_mul(0xD1B5_4A32_D192_ED03));
        if let Some((seconds, bad, _)) = played.acted {
            tally.acted += 1;
            tally.bad.push(bad);
            tally.within_minute += u64::from(seconds <= 60.0);
        }
        tally.twice += u64::from(played.acts > 1);
        tally.alone += u64::from(played.ground == Some(Ground::Alone));
        tally.helped += u64::from(played.outcome == Some(Outcome::Helped));
        tally.useless += u64::from(played.outcome.is_some_and(Outcome::is_useless));
    }
    tally.bad.sort_unstable();
    let bad = |share: f64| tally.bad.get((tally.bad.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!(
        "{:<64} acted {:>5} of {plays}, twice {}, \"helped\" {}, \"did not help\" {}, within 60 s {}, bad responses {} / {}",
        scene.name,
        tally.acted,
        tally.twice,
        tally.helped,
        tally.useless,
        tally.within_minute,
        bad(0.5),
        bad(0.95),
    );
    tally
}

/// How many to play: `few`, or as many as the environment says.
fn plays(few: u64) -> u64 {
    std::env::var("PLAYS").ok().and_then(|plays| plays.parse().ok()).unwrap_or(few)
}

/// At most one in a hundred; none in fewer plays.
fn rare(count: u64, plays: u64) -> bool {
    count <= plays / 100
}

const HALF_FAIL: (Ill, f64) = (Ill { errors: 0.5, slower: 2.0 }, 300.0);

#[test]
fn outages_of_all_pages_turn_nothing_off() {
    for (name, flags, share, changed) in [
        ("outage, 1 flag at 100 %, none changed", 1, 1.0, (0, 0)),
        ("outage, 1 flag at 100 %, changed an hour ago", 1, 1.0, (1, HOUR)),
        ("outage, 1 flag at 100 %, changed a week ago", 1, 1.0, (1, 168 * HOUR)),
        ("outage, 1 flag at 50 %, changed an hour ago", 1, 0.5, (1, HOUR)),
        ("outage, 1 flag at 1 %, changed an hour ago", 1, 0.01, (1, HOUR)),
        ("outage, 5 flags at 100 %, none changed", 5, 1.0, (0, 0)),
        ("outage, 5 flags at 100 %, one changed an hour ago", 5, 1.0, (1, HOUR)),
        ("outage, 5 flags at 100 %, one changed a week ago", 5, 1.0, (1, 168 * HOUR)),
        ("outage, 5 flags at 50 %, one changed an hour ago", 5, 0.5, (1, HOUR)),
        ("outage, 5 flags at 1 %, one changed an hour ago", 5, 0.01, (1, HOUR)),
        ("outage, 20 flags at 100 %, one changed an hour ago", 20, 1.0, (1, HOUR)),
        ("outage, 20 flags at 50 %, one changed an hour ago", 20, 0.5, (1, HOUR)),
        ("outage, 20 flags at 1 %, one changed an hour ago", 20, 0.01, (1, HOUR)),
    ] {
        let scene = Scene { name, flags, share, changed, outage: Some(HALF_FAIL), ..CALM };
        let plays = plays(3);
        let tally = tally(&scene, plays);
        assert!(rare(tally.acted, plays) && rare(tally.helped, plays), "{name}");
    }
}

#[test]
fn deploys_that_break_everything_and_slow_databases_turn_nothing_off() {
    for (name, outage) in [
        ("a deploy that breaks all pages", (Ill { errors: 0.95, slower: 1.0 }, 600.0)),
        ("a slow database, 20 times", (Ill { errors: 0.002, slower: 20.0 }, 300.0)),
    ] {
        let scene = Scene { name, flags: 5, changed: (1, HOUR), outage: Some(outage), ..CALM };
        let plays = plays(5);
        assert!(rare(tally(&scene, plays).acted, plays), "{name}");
    }
}

#[test]
fn where_every_request_asks_the_flag_one_is_turned_off_and_no_second() {
    let name = "outage, every request asks the one flag, changed an hour ago";
    let outage = Some(HALF_FAIL);
    let scene = Scene { name, flags: 3, changed: (1, HOUR), others: false, outage, ..CALM };
    let plays = plays(10);
    let tally = tally(&scene, plays);
    assert_eq!(tally.alone, tally.acted);
    assert_eq!((tally.twice, tally.helped), (0, 0), "one at most, and no false proof");
}

#[test]
fn flags_that_are_to_blame_are_found_and_called_so_while_their_backlog_drains() {
    for (name, flags, ago) in [
        ("guilty, changed an hour ago, backlog of 0 to 3 min", 1, HOUR),
        ("guilty, changed 10 s ago, backlog of 0 to 3 min", 1, 10 * SECOND),
        ("guilty, one of 5, changed an hour ago, backlog of 0 to 3 min", 5, HOUR),
    ] {
        let guilty = Some(Ill { errors: 0.3, slower: 1.0 });
        let scene = Scene { name, flags, changed: (1, ago), guilty, backlog: 180.0, ..CALM };
        let plays = plays(10);
        let tally = tally(&scene, plays);
        assert!(tally.acted * 100 >= plays * 99, "{name}: found");
        assert!(rare(tally.useless, plays), "{name}: called innocent");
        assert!(tally.helped * 100 >= tally.acted * 95, "{name}: called guilty");
    }
}

#[test]
fn a_stage_that_hurts_everybody_goes_back_within_a_minute() {
    for (name, share) in [
        ("canary at 1 % that makes all pages fail", 0.01),
        ("canary at 5 % that makes all pages fail", 0.05),
        ("canary at 10 % that makes all pages fail", 0.1),
    ] {
        let outage = Some((Ill { errors: 0.5, slower: 2.0 }, 600.0));
        let scene = Scene { name, share, stage: Some(12), outage, ..CALM };
        let plays = plays(10);
        let tally = tally(&scene, plays);
        assert!(tally.within_minute * 100 >= plays * 95, "{name}");
        assert_eq!(tally.twice, 0, "once");
    }
}
