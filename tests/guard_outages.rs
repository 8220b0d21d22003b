//! What the guard does in outages, and to flags that are to blame: plays drawn from seeds, at 100 requests a second that ask the
//! flags and as many that ask none.
//!
//! `make test` plays few of each. By hand, as docs/guard-measurements.md has it:
//!
//! ```text
//! PLAYS=250 cargo test --release --test guard_outages -- --nocapture
//! PLAYS=50 DAYS=30 cargo test --release --test guard_outages stores -- --nocapture
//! ```

mod support;

use flagstone::guard::{Ground, Guard, Notice, Outcome, Policy, Reading, Sample};
use flagstone::telemetry::{Cohort, Exposure, GROUPS, duration};
use support::random::Random;

const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_767_571_200 * SECOND;
const HOUR: i64 = 3600 * SECOND;

/// Requests a second that ask the flags, and that ask none.
const RATE: u64 = 100;

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
    /// The plan of a flag entered a stage so many seconds before, and which flag.
    stage: Option<i64>,
    planned: usize,
    /// What is usual.
    well: Ill,
    /// For so many seconds harm goes on, if nothing is done.
    harm: f64,
    /// What happens where the first flag is on, and where it is off.
    guilty: Option<Ill>,
    off: Option<Ill>,
    /// In an outage, requests with the first flag on take so many times as long as others.
    calls: f64,
    /// What happens on all pages; for how many seconds on average.
    outage: Option<(Ill, f64)>,
    /// The share of the other pages' requests that it happens to.
    reach: f64,
    /// The shortest outage, in seconds.
    shortest: f64,
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
    planned: 0,
    well: WELL,
    harm: 900.0,
    guilty: None,
    off: None,
    calls: 1.0,
    outage: None,
    reach: 1.0,
    shortest: 60.0,
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

/// Requests of some seconds in which all is well, of all pages: those that ask the flags, group by group: requests and errors.
fn well(random: &mut Random, scene: &Scene, seconds: f64, total: &mut Cohort) -> Vec<[u64; 2]> {
    let groups = |random: &mut Random| -> Vec<[u64; 2]> {
        (0..GROUPS)
            .map(|_| {
                let requests = random.poisson(RATE as f64 * seconds / GROUPS as f64);
                [requests, random.poisson(requests as f64 * scene.well.errors).min(requests)]
            })
            .collect()
    };
    let (asked, others) = (groups(random), groups(random));
    many(total, &asked, 1.0, random);
    if scene.others {
        many(total, &others, 1.0, random);
    }
    asked
}

/// A share of such requests, in a cohort.
fn many(cohort: &mut Cohort, groups: &[[u64; 2]], share: f64, random: &mut Random) {
    for (group, [requests, errors]) in groups.iter().enumerate() {
        let part = |all: u64, random: &mut Random| match share {
            1.0.. => all,
            _ => random.poisson(all as f64 * share).min(all),
        };
        let requests = part(*requests, random);
        let errors = part(*errors, random).min(requests);
        let mut time = 0;
        // One draw for some requests: nothing is made of how long they took.
        for chunk in 0..requests.div_ceil(4) {
            let (count, micros) =
                ((requests - chunk * 4).min(4), (120_000.0 * (0.5 + random.exponential(0.5))) as u64);
            cohort.durations[duration::bucket(micros)] += count;
            time += micros * count;
        }
        cohort.requests += requests;
        cohort.errors += errors;
        let group = &mut cohort.groups[group];
        group.requests += requests;
        group.errors += errors;
        group.time += time;
    }
}

/// The most flags of a play.
const FLAGS: usize = 50;

fn keys() -> Vec<String> {
    (0..FLAGS).map(|flag| format!("f{flag:02}")).collect()
}

fn play(scene: &Scene, seed: u64) -> Played {
    let mut random = Random(seed);
    let (policy, keys) = (Policy::default(), keys());
    let mut guard = Guard::new();
    let mut exposures = vec![Exposure::default(); scene.flags];
    let mut off = vec![false; scene.flags];
    let mut total = Cohort::default();
    let quiet = 700 + (random.unit() * 300.0) as i64;
    let harm = BEGIN + quiet * SECOND;
    let length =
        scene.outage.map_or(scene.harm, |(_, mean)| random.exponential(mean).clamp(scene.shortest, 900.0));
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
            _ => scene.well,
        };
        if !ill && turned_off.is_none() {
            // Nothing happens that could differ from one request to the next.
            let asked = well(&mut random, scene, step as f64, &mut total);
            for exposure in &mut exposures {
                many(&mut exposure.on, &asked, scene.share, &mut random);
                many(&mut exposure.off, &asked, 1.0 - scene.share, &mut random);
            }
        } else {
            for page in 0..1 + usize::from(scene.others) {
                for _ in 0..random.about((RATE * step as u64) as f64) {
                    let group = (random.next() % GROUPS as u64) as usize;
                    let asks = page == 0;
                    let hit = asks || scene.reach >= 1.0 || random.unit() < scene.reach;
                    let mut mine = if hit { everywhere } else { scene.well };
                    let mut on = [false; FLAGS];
                    if asks {
                        for (flag, on) in on.iter_mut().enumerate().take(scene.flags) {
                            *on = !off[flag] && (scene.share >= 1.0 || random.unit() < scene.share);
                        }
                        let drains = turned_off.is_some_and(|at: i64| now - at < backlog);
                        if let Some(guilty) = scene.guilty.filter(|_| ill && (on[0] || drains)) {
                            mine = guilty;
                        }
                        mine = scene.off.filter(|_| ill && !on[0]).unwrap_or(mine);
                        if ill && on[0] && (since as f64) < length * 1e6 {
                            mine.slower *= scene.calls;
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
        }
        let samples: Vec<Sample> = exposures
            .iter()
            .enumerate()
            .map(|(flag, exposure)| {
                let stage = scene.stage.filter(|ago| flag == scene.planned && now >= harm - ago * SECOND);
                let stage = stage.map(|ago| harm - ago * SECOND);
                let changed = stage.unwrap_or_else(|| changed(flag));
                // A flag that was not changed yet is as it was.
                let changed = if changed > now { BEGIN - 720 * HOUR } else { changed };
                Sample { stage, ..Sample::new(&keys[flag], Reading::new(now, 1, changed, exposure), &policy) }
            })
            .collect();
        let decision = guard.watch(now, &samples, Some((&total, 1)));
        for notice in decision.notices {
            if let Notice::Outcome { outcome, .. } = notice {
                played.outcome = Some(outcome);
            }
        }
        if let Some(finding) = decision.act {
            guard.record_act(now, &finding, &policy);
            let flag = keys.iter().position(|key| *key == finding.flag).unwrap_or(0);
            played.acts += 1;
            played.ground = Some(finding.ground);
            played.acted.get_or_insert(((now - harm) as f64 / 1e6, bad, flag));
            // Without a backlog nobody asks what came of it.
            if finding.ground == Ground::Stage || (scene.outage.is_none() && scene.backlog == 0.0) {
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
    seconds: Vec<u64>,
    /// Another flag than the first was acted on.
    others: u64,
    bad: Vec<u64>,
}

fn tally(scene: &Scene, plays: u64) -> Tally {
    let mut tally = Tally {
        acted: 0,
        twice: 0,
        alone: 0,
        helped: 0,
        useless: 0,
        within_minute: 0,
        seconds: Vec::new(),
        others: 0,
        bad: Vec::new(),
    };
    let first = first_seed();
    for seed in first..first + plays {
        let played = play(scene, seed.wrapping_mul(0xD1B5_4A32_D192_ED03));
        if let Some((seconds, bad, flag)) = played.acted {
            tally.acted += 1;
            tally.others += u64::from(flag != 0);
            tally.bad.push(bad);
            tally.seconds.push(seconds as u64);
            tally.within_minute += u64::from(seconds <= 60.0);
        }
        tally.twice += u64::from(played.acts > 1);
        tally.alone += u64::from(played.ground == Some(Ground::Alone));
        tally.helped += u64::from(played.outcome == Some(Outcome::Helped));
        tally.useless += u64::from(played.outcome.is_some_and(Outcome::is_useless));
    }
    tally.bad.sort_unstable();
    tally.seconds.sort_unstable();
    let of = |all: &[u64], share: f64| all.get((all.len() as f64 * share) as usize).copied().unwrap_or(0);
    println!(
        "{:<64} acted {:>5} of {plays}, on another {}, twice {}, \"helped\" {}, \"did not help\" {}, within 60 s {}, seconds {} / {}, bad responses {} / {}",
        scene.name,
        tally.acted,
        tally.others,
        tally.twice,
        tally.helped,
        tally.useless,
        tally.within_minute,
        of(&tally.seconds, 0.5),
        of(&tally.seconds, 0.95),
        of(&tally.bad, 0.5),
        of(&tally.bad, 0.95),
    );
    tally
}

/// How many to play: `few`, or as many as the environment says.
fn plays(few: u64) -> u64 {
    std::env::var("PLAYS").ok().and_then(|plays| plays.parse().ok()).unwrap_or(few)
}

fn first_seed() -> u64 {
    std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
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

/// Requests of other pages were compared as one: where an outage hit a part of them, they were not as badly off as the flag's page.
#[test]
fn outages_of_some_pages_turn_nothing_off() {
    for (name, flags, reach) in [
        ("outage of the flag's page and half of the others", 1, 0.5),
        ("outage of the flag's page and a quarter of the others", 1, 0.25),
        ("outage of the page of 5 flags and half of the others", 5, 0.5),
        ("outage of the page of 5 flags and a quarter of the others", 5, 0.25),
    ] {
        let scene = Scene { name, flags, reach, changed: (1, HOUR), outage: Some(HALF_FAIL), ..CALM };
        let plays = plays(2);
        let tally = tally(&scene, plays);
        assert!(rare(tally.acted, plays), "{name}");
    }
}

/// Before an act nothing tells such an outage from harm of the flag.
#[test]
fn an_outage_of_the_flags_page_alone_turns_one_flag_off_and_no_second() {
    for (name, flags, shortest) in [
        ("outage of the flag's page alone, changed an hour ago", 1, 60.0),
        ("outage of the page of 5 flags alone, one changed an hour ago", 5, 60.0),
        ("outage of the flag's page alone, of seconds to minutes", 1, 0.0),
    ] {
        let (changed, outage) = ((1, HOUR), Some(HALF_FAIL));
        let scene = Scene { name, flags, reach: 0.0, changed, outage, shortest, ..CALM };
        let plays = plays(2);
        let tally = tally(&scene, plays);
        assert_eq!((tally.twice, tally.others), (0, 0), "{name}");
        // Of those that may be over at any moment, a few are over when the flag is turned off.
        let chance = if shortest > 0.0 { plays / 100 } else { plays / 20 };
        assert!(tally.helped <= chance, "{name}: a false proof in {}", tally.helped);
    }
    let name = "outage of the flag's page alone, unchanged";
    let scene = Scene { name, reach: 0.0, outage: Some(HALF_FAIL), ..CALM };
    let plays = plays(2);
    assert!(rare(tally(&scene, plays).acted, plays), "{name}");
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

/// A dependency went down, which a page calls twice with the flag on and once with it off: the flag was killed as slower.
#[test]
fn an_outage_that_slows_a_flags_requests_most_turns_nothing_off() {
    let mut acted = Vec::new();
    for (name, share, errors, slower, reach) in [
        ("10 %, twice the timeouts of an outage, which are short", 0.1, 0.002, 4.0, 1.0),
        ("10 %, twice the timeouts of an outage", 0.1, 0.002, 12.0, 1.0),
        ("50 %, twice the timeouts of an outage", 0.5, 0.002, 12.0, 1.0),
        ("50 %, twice the timeouts of an outage, half fail", 0.5, 0.5, 40.0, 1.0),
        ("10 %, twice the timeouts of an outage of that page", 0.1, 0.9, 12.0, 0.0),
        ("100 %, twice the timeouts of an outage", 1.0, 0.002, 12.0, 1.0),
    ] {
        for ago in [10 * SECOND, HOUR] {
            let outage = Some((Ill { errors, slower }, 300.0));
            let scene = Scene { name, share, reach, changed: (1, ago), calls: 2.0, outage, ..CALM };
            let plays = plays(3);
            acted.extend((!rare(tally(&scene, plays).acted, plays)).then_some(name));
        }
    }
    assert_eq!(acted, [""; 0]);
}

/// Off failed at once and on worked: on was slower by thousands of percent, and killed.
#[test]
fn a_flag_that_works_where_off_fails_at_once_is_left_on() {
    let mut acted = Vec::new();
    for (name, share, fails) in [
        ("10 %, off fails at once", 0.1, 1.0),
        ("50 %, off fails at once", 0.5, 1.0),
        ("10 %, half of off fails at once", 0.1, 0.5),
        ("90 %, off fails at once", 0.9, 1.0),
    ] {
        for slower in [2.5, 20.0] {
            let off = Some(Ill { errors: fails, slower: if fails < 1.0 { 1.0 } else { 0.04 } });
            let guilty = Some(Ill { errors: 0.002, slower });
            for ago in [10 * SECOND, HOUR] {
                let scene = Scene { name, share, changed: (1, ago), guilty, off, ..CALM };
                let plays = plays(3);
                acted.extend((!rare(tally(&scene, plays).acted, plays)).then_some(name));
            }
        }
    }
    assert_eq!(acted, [""; 0]);
}

/// Such a flag leaves the off-cohort as quick as ever, however many of all requests are slow.
#[test]
fn a_flag_that_slows_its_own_requests_is_found() {
    for (name, share, slower) in [
        ("10 %, 3 times as slow", 0.1, 3.0),
        ("10 %, 5 times as slow", 0.1, 5.0),
        ("50 %, 5 times as slow", 0.5, 5.0),
        ("90 %, 20 times as slow", 0.9, 20.0),
    ] {
        for ago in [10 * SECOND, HOUR] {
            let guilty = Some(Ill { errors: 0.002, slower });
            let scene = Scene { name, share, changed: (1, ago), guilty, ..CALM };
            let plays = plays(3);
            let tally = tally(&scene, plays);
            assert!(tally.acted * 100 >= plays * 99, "{name}");
        }
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
    for (name, flags, ago, backlog) in [
        ("guilty, changed an hour ago, no backlog", 1, HOUR, 1.0),
        ("guilty, changed an hour ago, backlog of 0 to 3 min", 1, HOUR, 180.0),
        ("guilty, changed 10 s ago, backlog of 0 to 3 min", 1, 10 * SECOND, 180.0),
        ("guilty, one of 5, changed an hour ago, backlog of 0 to 3 min", 5, HOUR, 180.0),
    ] {
        let guilty = Some(Ill { errors: 0.3, slower: 1.0 });
        let scene = Scene { name, flags, changed: (1, ago), guilty, backlog, ..CALM };
        let plays = plays(10);
        let tally = tally(&scene, plays);
        assert!(tally.acted * 100 >= plays * 99, "{name}: found");
        assert!(rare(tally.useless, plays), "{name}: called innocent");
        // A backlog that drains an hour after the change looks like an outage that ends: nothing is said then.
        let tells = backlog < 60.0 || ago < 60 * SECOND;
        assert!(!tells || tally.helped * 100 >= tally.acted * 95, "{name}: called guilty");
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

/// Stages were taken back for what another flag did to its own requests.
#[test]
fn a_young_stage_is_left_alone_in_another_flags_harm() {
    for (name, share, guilty) in [
        ("guilty at 50 %, 10 s after another's stage", 0.5, Ill { errors: 0.8, slower: 1.0 }),
        ("guilty at 20 %, 10 s after another's stage", 0.2, Ill { errors: 0.8, slower: 1.0 }),
        ("slow at 50 %, 10 s after another's stage", 0.5, Ill { errors: 0.002, slower: 5.0 }),
    ] {
        let changed = (1, 2 * SECOND);
        let scene = Scene {
            name,
            flags: 2,
            share,
            changed,
            stage: Some(12),
            planned: 1,
            guilty: Some(guilty),
            ..CALM
        };
        let plays = plays(5);
        let tally = tally(&scene, plays);
        assert!(tally.acted * 100 >= plays * 99 && rare(tally.others, plays), "{name}");
    }
}

const FIVE_TIMES: Scene = Scene {
    share: 0.1,
    well: Ill { errors: 0.01, slower: 1.0 },
    harm: 3600.0,
    guilty: Some(Ill { errors: 0.05, slower: 1.0 }),
    ..CALM
};

#[test]
fn flags_changed_at_once_share_the_chance_of_a_false_alarm() {
    for (name, together) in [
        ("1 % to 5 % errors, on for 10 %, changed alone", 1),
        ("1 % to 5 % errors, on for 10 %, one of 2 changed at once", 2),
        ("1 % to 5 % errors, on for 10 %, one of 10 changed at once", 10),
        ("1 % to 5 % errors, on for 10 %, one of 50 changed at once", 50),
    ] {
        let scene = Scene { name, flags: together, changed: (together, 10 * SECOND), ..FIVE_TIMES };
        let plays = plays(1);
        let tally = tally(&scene, plays);
        assert!(tally.acted * 100 >= plays * 99, "{name}: found");
        assert!(rare(tally.others, plays), "{name}: another");
    }
}

#[test]
fn five_times_the_errors_are_found_among_50_flags() {
    let name = "1 % to 5 % errors, on for 10 %, one of 50 flags, changed alone";
    let scene = Scene { name, flags: 50, changed: (1, 10 * SECOND), ..FIVE_TIMES };
    let plays = plays(1);
    let tally = tally(&scene, plays);
    assert!(tally.acted * 100 >= plays * 99 && rare(tally.others, plays), "{name}");
}

/// What the suspicion of young stages costs those that are innocent.
#[test]
fn an_outage_takes_an_innocent_stage_back_within_ten_minutes_of_it_and_none_later() {
    for (name, ago, back) in [
        ("outage, 1 minute after an innocent stage was entered", 60, true),
        ("outage, 5 minutes after an innocent stage was entered", 300, true),
        ("outage, 9 minutes after an innocent stage was entered", 540, true),
        ("outage, 11 minutes after an innocent stage was entered", 660, false),
        ("outage, 20 minutes after an innocent stage was entered", 1200, false),
    ] {
        let scene = Scene { name, share: 0.1, stage: Some(ago), outage: Some(HALF_FAIL), ..CALM };
        let plays = plays(2);
        let tally = tally(&scene, plays);
        assert_eq!(tally.twice, 0, "once");
        assert!(back || rare(tally.acted, plays), "{name}");
    }
}

/// What a store's guard did in some days in which no flag did harm.
#[derive(Default)]
struct Month {
    outages: u64,
    changes: u64,
    /// Flags that were taken back, and stages younger than 15 minutes that were.
    acts: u64,
    stages: u64,
}

/// One store: 50 flags on ten pages, on for 100, 50, 10 and 1 %, each changed every ten days, a fifth of the time with another; five
/// of them in plans with a stage a day. Outages of all pages every five days, in which half of all requests fail and take twice as long, or
/// all take 20 times as long; and a company whose requests all fail for ten minutes, every five days.
fn month(seed: u64, days: f64) -> Month {
    const PAGES: usize = 10;
    const COMPANIES: u64 = 300;
    const SHARES: [u64; 5] = [100, 50, 10, 1, 100];
    let (mut random, keys, policy) = (Random(seed), keys(), Policy::default());
    let mut guard = Guard::new();
    let mut exposures = vec![Exposure::default(); FLAGS];
    let mut total = Cohort::default();
    let mut shares: Vec<u64> = (0..FLAGS).map(|flag| SHARES[flag % 5]).collect();
    let mut changed: Vec<i64> =
        (0..FLAGS).map(|_| BEGIN - (random.unit() * 10.0 * 24.0) as i64 * HOUR).collect();
    let in_plan = |flag: usize| flag % 10 == 2;
    let mut stages: Vec<Option<i64>> = (0..FLAGS).map(|flag| in_plan(flag).then(|| changed[flag])).collect();
    let mut off = [false; FLAGS];
    let day = 24.0 * HOUR as f64;
    let end = BEGIN + (days * day) as i64;
    let next = |random: &mut Random, days: f64| (random.exponential(days) * day) as i64;
    let mut changes: Vec<i64> =
        (0..FLAGS).map(|flag| BEGIN + next(&mut random, if in_plan(flag) { 1.0 } else { 10.0 })).collect();
    let every = days.min(10.0) / 2.0;
    let mut outage = (BEGIN + next(&mut random, every), 0_i64, WELL);
    let mut burst = (BEGIN + next(&mut random, every), 0_u64);
    // Durations from a table: 120 ms in the median.
    let durations: Vec<u64> =
        (0..1024).map(|_| (120_000.0 * (0.5 + random.exponential(0.5))) as u64).collect();
    let factors: Vec<f64> = (0..COMPANIES).map(|_| 0.3 + random.exponential(0.7)).collect();
    let (mut now, mut month) = (BEGIN, Month::default());
    while now < end {
        let since = now - outage.0;
        if since > outage.1 {
            let length = (random.exponential(300.0).clamp(60.0, 900.0) * 1e6) as i64;
            let ill = match random.next() % 4 {
                0 => Ill { errors: 0.002, slower: 20.0 },
                _ => HALF_FAIL.0,
            };
            if outage.1 > 0 {
                outage.0 = now + next(&mut random, every);
                month.outages += 1;
            }
            (outage.1, outage.2) = (length, ill);
        }
        if now - burst.0 > 600 * SECOND {
            burst = (now + next(&mut random, every), random.next() % COMPANIES);
        }
        let near = (-20 * SECOND..60 * SECOND).contains(&(now - outage.0));
        let ill = (0..outage.1).contains(&(now - outage.0));
        let step = if near {
            2
        } else if ill {
            10
        } else {
            60.min((outage.0 - now).max(SECOND) / SECOND)
        };
        now += step * SECOND;
        let ill = (0..outage.1).contains(&(now - outage.0));
        let failing = (0..600 * SECOND).contains(&(now - burst.0)).then_some(burst.1);
        let due: Vec<usize> = (0..FLAGS).filter(|flag| changes[*flag] <= now).collect();
        for flag in due {
            let together = random.next().is_multiple_of(5).then(|| (random.next() as usize) % FLAGS);
            for flag in [Some(flag), together].into_iter().flatten() {
                changed[flag] = now;
                shares[flag] = SHARES[(random.next() % 5) as usize];
                stages[flag] = in_plan(flag).then_some(now);
                off[flag] = false;
            }
            changes[flag] = now + next(&mut random, if in_plan(flag) { 1.0 } else { 10.0 });
            month.changes += 1;
        }
        let hour = (now / HOUR % 24) as f64;
        let busy = 1.0 + 0.8 * (hour / 24.0 * std::f64::consts::TAU).sin();
        for page in 0..=PAGES {
            for _ in 0..random.about(busy * step as f64) {
                // Some companies ask more than others.
                let company = ((random.unit() * random.unit()) * COMPANIES as f64) as u64;
                let group = (company as usize * 7) % GROUPS;
                let mine = if ill { outage.2 } else { WELL };
                let base = 0.002 * (1 + page % 3) as f64 * factors[company as usize];
                let failed = failing == Some(company) || random.unit() < mine.errors.max(base);
                let micros = (durations[(random.next() % 1024) as usize] as f64 * mine.slower) as u64;
                one(&mut total, group, failed, micros);
                for flag in (0..FLAGS).skip(page).step_by(PAGES).filter(|_| page < PAGES) {
                    let bucket = Random(company * 64 + flag as u64).next() % 100;
                    let on = !off[flag] && bucket < shares[flag];
                    let exposure = &mut exposures[flag];
                    one(if on { &mut exposure.on } else { &mut exposure.off }, group, failed, micros);
                }
            }
        }
        let samples = exposures.iter().enumerate().map(|(flag, exposure)| Sample {
            stage: stages[flag],
            ..Sample::new(&keys[flag], Reading::new(now, 1, changed[flag], exposure), &policy)
        });
        let samples: Vec<Sample> = samples.collect();
        if let Some(finding) = guard.watch(now, &samples, Some((&total, 1))).act {
            guard.record_act(now, &finding, &policy);
            let flag = keys.iter().position(|key| *key == finding.flag).expect("a flag of the store");
            let stage = finding.ground == Ground::Stage;
            *if stage { &mut month.stages } else { &mut month.acts } += 1;
            if stage {
                (stages[flag], changed[flag]) = (None, now);
            } else {
                println!("seed {seed}: {finding:?}, on for {} %", shares[flag]);
                off[flag] = true;
            }
        }
    }
    month
}

#[test]
fn stores_with_50_flags_are_left_alone_through_their_outages() {
    let days = std::env::var("DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(0.2);
    let (first, plays) = (first_seed(), plays(1));
    let mut acted = 0;
    let mut sum = Month::default();
    for seed in first..first + plays {
        let month = month(seed.wrapping_mul(0xD1B5_4A32_D192_ED03), days);
        acted += u64::from(month.acts > 0);
        sum.outages += month.outages;
        sum.changes += month.changes;
        sum.acts += month.acts;
        sum.stages += month.stages;
        println!(
            "seeds {first} to {seed}: {acted} stores with false acts; {} acts and {} young stages back in {} outages and {} changes",
            sum.acts, sum.stages, sum.outages, sum.changes
        );
    }
    assert!(rare(acted, plays), "{acted} of {plays}");
}
