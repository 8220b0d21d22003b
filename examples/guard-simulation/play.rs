//! One rollout of one flag, second by second.

use super::chance::Chance;
use super::world::{Companies, Company, Counters, Manner, Odd, Side, companies};
use flagstone::guard::{Against, Guard, Harm, Policy, Reading, Sample};

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub companies: Companies,
    /// Requests a second that ask the flag, on average.
    pub rate: f64,
    /// The flag's stages: hours from the beginning, and the share of companies that have it from then on.
    pub stages: &'static [(f64, f64)],
    /// What happens where the flag is off.
    pub off: Off,
    /// Of requests fail where all is well.
    pub errors: f64,
    /// Where the flag is on, so many times as many do, from the last stage on.
    pub factor: f64,
    /// And they take so many times as long.
    pub slower: f64,
    /// Harm begins so many seconds after the last stage did.
    pub harm_after: f64,
    /// The largest company that has the flag has errors, and slow requests, of its own from the last stage on.
    pub odd: Option<(f64, f64)>,
    /// Outages that hit everybody, single companies' bursts of errors, days and nights: as life is.
    pub life: bool,
    /// Everybody's requests fail at this rate for five minutes after the last stage began.
    pub outage: f64,
    /// Hours that are played from the last stage on.
    pub hours: f64,
    /// Seconds at a time in the long run.
    pub step: f64,
}

/// What happens where a flag is off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Off {
    /// Work like that where it is on.
    Branch,
    /// A 404 by the middleware, which says so.
    Gate,
    /// A 404 in 1 ms that nobody tells of.
    BareGate,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Played {
    /// Seconds from the harm, or the last stage, to the rollback, and requests that were answered on in that time.
    pub acted: Option<(f64, u64)>,
    /// It acted before the last stage.
    pub early: bool,
    pub found: Option<(Harm, Against)>,
}

const SECOND: i64 = 1_000_000;
/// Time's beginning: some Monday in 2026.
const BEGIN: i64 = 1_767_571_200 * SECOND;

impl Scene {
    /// A branch at 200 requests a second, 300 companies of much the same size, rolled out to 10 %, for 30 days.
    pub const USUAL: Self = Self {
        companies: Companies::Alike(300),
        rate: 200.0,
        stages: &[(0.1, 0.1)],
        off: Off::Branch,
        errors: 0.01,
        factor: 1.0,
        slower: 1.0,
        harm_after: 0.0,
        odd: None,
        life: false,
        outage: 0.0,
        hours: 720.0,
        step: 20.0,
    };
}

/// Plays until the guard acts, or the time is over.
pub fn play(scene: &Scene, seed: u64) -> Played {
    let mut chance = Chance::new(seed);
    let all = companies(scene.companies, &mut chance);
    let policy = Policy::default();
    let (mut guard, mut counters) = (Guard::new(), Counters::default());
    let mut life = Life::new(scene, &mut chance);
    let last = scene.stages.last().map_or(0.0, |stage| stage.0) * 3600.0;
    let end = last + scene.hours * 3600.0;
    let (mut now, mut stage, mut changed_at, mut on_before) = (0.0, 0, BEGIN - 86_400_000 * SECOND / 1000, 0);
    let (mut on, mut off) = sides(&all, 0.0);
    let mut odd_company = None;
    while now < end {
        // Seconds where it matters, many of them in the long run.
        let near = now > last - 60.0
            && (now < last + 1800.0 || now > last + scene.harm_after - 10.0)
            && now < last + scene.harm_after + 1800.0;
        let step = if near { 1.0 } else { scene.step };
        if let Some((_, share)) = scene.stages.get(stage).filter(|(hour, _)| now >= hour * 3600.0) {
            (on, off) = sides(&all, *share);
            stage += 1;
            changed_at = BEGIN + (now * 1e6) as i64;
            odd_company = largest(&all, *share);
        }
        let begun = stage == scene.stages.len();
        let harm = begun && now - last >= scene.harm_after;
        if !harm {
            on_before = counters.exposure.on.requests;
        }
        let tide = life.at(
            now,
            step,
            &all,
            scene.stages.get(stage.wrapping_sub(1)).map_or(0.0, |s| s.1),
            &mut chance,
        );
        let requests = scene.rate * step * tide.traffic;
        let outage = if begun && now - last < 300.0 { scene.outage } else { 0.0 };
        let errors = (scene.errors * tide.errors).max(outage).max(tide.outage).min(1.0);
        let median = 0.12 * if errors > scene.errors * 3.0 { 2.0 } else { 1.0 };
        let (factor, slower) = if harm { (scene.factor, scene.slower) } else { (1.0, 1.0) };
        let odd = scene
            .odd
            .filter(|_| begun)
            .zip(odd_company)
            .map(|((errors, slower), (group, share))| Odd { group, share, errors, slower });
        let manner = Manner { errors: (errors * factor).min(1.0), median: median * slower };
        on.step(&mut counters.exposure.on, requests, manner, odd.or(tide.burst), &mut chance);
        match scene.off {
            Off::Branch => {
                let manner = Manner { errors, median };
                off.step(&mut counters.exposure.off, requests, manner, None, &mut chance);
            }
            Off::Gate => counters.gated(requests * off.share()),
            Off::BareGate => {
                let manner = Manner { errors: 0.0, median: 0.001 };
                off.step(&mut counters.exposure.off, requests, manner, None, &mut chance);
            }
        }
        now += step;
        let at = BEGIN + (now * 1e6) as i64;
        let reading = Reading::new(at, 1, changed_at, &counters.exposure);
        let decision = guard.watch(at, &[Sample::new("flag", reading, &policy)], None);
        if let Some(finding) = decision.act {
            let since = last + scene.harm_after;
            let requests = counters.exposure.on.requests - on_before;
            return Played {
                acted: Some((now - since, requests)),
                early: now < since,
                found: Some((finding.harm, finding.against)),
            };
        }
    }
    Played { acted: None, early: false, found: None }
}

fn sides(all: &[Company], share: f64) -> (Side, Side) {
    let side = |on: bool| Side::of(all.iter().filter(|company| (company.bucket < share) == on));
    (side(true), side(false))
}

/// The group and the share of the largest company that has the flag.
fn largest(all: &[Company], share: f64) -> Option<(usize, f64)> {
    let on = all.iter().filter(|company| company.bucket < share);
    on.max_by(|a, b| a.share.total_cmp(&b.share)).map(|company| (company.group, company.share))
}

/// What is going on besides.
struct Life {
    real: bool,
    outage: (f64, f64, f64),
    burst: (f64, f64, Option<Odd>),
}

struct Tide {
    traffic: f64,
    errors: f64,
    outage: f64,
    burst: Option<Odd>,
}

impl Life {
    fn new(scene: &Scene, chance: &mut Chance) -> Self {
        let soon = |chance: &mut Chance| chance.unit() * 86_400.0;
        Self { real: scene.life, outage: (soon(chance), 0.0, 0.0), burst: (soon(chance), 0.0, None) }
    }

    /// Traffic goes from a fifth of its average at night to nearly twice, errors by a third up and down with it. Once a
    /// day in the mean everybody has errors for up to ten minutes, and twice a day some company has.
    fn at(&mut self, now: f64, step: f64, all: &[Company], share: f64, chance: &mut Chance) -> Tide {
        if !self.real {
            return Tide { traffic: 1.0, errors: 1.0, outage: 0.0, burst: None };
        }
        let sun = (now / 86_400.0 * std::f64::consts::TAU).sin();
        let per_day = step / 86_400.0;
        if now > self.outage.1 && chance.unit() < per_day {
            self.outage = (now, now + 60.0 + 540.0 * chance.unit(), 0.2 + 0.7 * chance.unit());
        }
        if now > self.burst.1 && chance.unit() < 2.0 * per_day {
            let on: Vec<&Company> = all.iter().filter(|company| company.bucket < share).collect();
            let odd = on.get((chance.unit() * on.len() as f64) as usize).map(|company| Odd {
                group: company.group,
                share: company.share,
                errors: 0.1 + 0.9 * chance.unit(),
                slower: 1.0,
            });
            self.burst = (now, now + 30.0 + 1800.0 * chance.unit(), odd);
        }
        Tide {
            traffic: 1.0 + 0.8 * sun,
            errors: 1.0 + 0.33 * sun,
            outage: if now < self.outage.1 { self.outage.2 } else { 0.0 },
            burst: self.burst.2.filter(|_| now < self.burst.1),
        }
    }
}
