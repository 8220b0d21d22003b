//! The companies that a change affects, measured by asking about each company of a list before it and after.
//!
//! Nothing is decided here: two snapshots are asked about each company, by its id alone, so that other attributes count as missing.

use crate::companies::Companies;
use crate::output::{DIM, Failure, GOOD, Output, WARN};
use crate::progress::Progress;
use crate::{confirm, display, store_view};
use flagstone::definition::{CompanyId, Definitions, Flag, FlagState, Percentage, Rollout};
use flagstone::publish::{Config, NamedFile, Store};
use flagstone::{FlagId, Key, Question, Snapshot, Switches, blocker, compile, enabled, possible};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;

/// The largest file of companies, in bytes.
pub const MAX_COMPANIES_BYTES: u64 = 256 << 20;
/// Examples of each kind that are named.
const EXAMPLES: usize = 10;
/// Flags listed on a terminal.
const MAX_SHOWN_FLAGS: usize = 20;
/// The fewest companies that are worth another thread.
const CHUNK: usize = 50_000;

/// A file of companies, not yet parsed.
pub struct List {
    pub name: String,
    bytes: Vec<u8>,
}

/// The companies to ask about.
pub enum Listed {
    None,
    List(List),
    /// The store's config names a list that cannot be read, or may name one but is not to be believed; with the reason.
    Unreadable(String),
}

/// Reads the companies named on the command line, or those of the store's config.
pub fn list(given: Option<&Path>, store: &Store, config: &Config) -> Result<Listed, Failure> {
    if let Some(path) = given {
        let name = store_view::file_name(path);
        return Ok(Listed::List(List { bytes: store_view::read(path, MAX_COMPANIES_BYTES)?, name }));
    }
    let unreadable = |problem: &str| {
        let problem = display::plain(problem);
        Ok(Listed::Unreadable(format!("{problem}; cannot determine which companies the change reaches")))
    };
    match (&config.companies, &config.ignored) {
        (_, Some(ignored)) => unreadable(ignored),
        (None, None) => Ok(Listed::None),
        (Some(path), None) => match store.read_named(path, NamedFile::List) {
            Ok(bytes) => {
                let name = store_view::file_name(&store.directory().join(path));
                match Companies::read(&name, &bytes) {
                    Ok(_) => Ok(Listed::List(List { name, bytes })),
                    Err(failure) => unreadable(failure.text()),
                }
            }
            Err(error) => unreadable(&error.to_string()),
        },
    }
}

/// Asks before a change of unknown reach, unless `yes` was said.
pub fn agreed_unknown(problem: &str, yes: bool, output: &mut Output) -> Result<(), Failure> {
    if yes {
        output.warn(problem);
        return Ok(());
    }
    match confirm::confirmed(&format!("{problem}. Go on?"), output) {
        true => Ok(()),
        false => Err(Failure::Refused(format!("{problem}; nothing was changed. With --yes it is done"))),
    }
}

/// A snapshot with its switches, as one side of a comparison.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub snapshot: &'a Snapshot,
    pub switches: &'a Switches,
}

impl Side<'_> {
    fn has(&self, flag: Option<FlagId>, key: Key<'_>, now: i64) -> bool {
        let question = Question { company: Some(key), context: &(), now };
        flag.is_some_and(|flag| enabled(self.snapshot, self.switches, flag, &question))
    }

    fn find(&self, flag: &str) -> Option<FlagId> {
        self.snapshot.find(flag.as_bytes())
    }
}

/// The store's kills and stop, which hold through the change.
pub struct Holds {
    killed: BTreeSet<String>,
    stopped: bool,
}

impl Holds {
    /// Reads them; none if the head cannot be read.
    pub fn of(store: &Store) -> Holds {
        Holds { killed: store.killed().unwrap_or_default(), stopped: store.is_stopped().unwrap_or_default() }
    }

    fn switches(&self, snapshot: &Snapshot) -> Switches {
        Switches::new(snapshot, self.killed.iter().map(String::as_bytes), self.stopped)
    }
}

/// A kill or the stop by which nobody has a flag.
enum Hold {
    Kill,
    /// The kill of this flag, which it requires.
    RequiredKill(String),
    Stop,
}

impl Hold {
    /// The hold of a flag that is off for everybody whether a change is made or not.
    fn of(flag: &str, [before, after]: [Option<Side>; 2], now: i64) -> Option<Hold> {
        let held = |side: Side| {
            let (id, Side { snapshot, switches }) = (side.find(flag)?, side);
            if switches.killed(id) {
                return Some(Hold::Kill);
            }
            if possible(snapshot, switches, id, now) || !possible(snapshot, &Switches::none(), id, now) {
                return None;
            }
            match blocker(snapshot, switches, id, now) {
                Some(required) if switches.killed(required) => {
                    Some(Hold::RequiredKill(snapshot.flag_key(required).to_owned()))
                }
                _ => Some(Hold::Stop),
            }
        };
        let is_on =
            |side: Side| side.find(flag).is_some_and(|id| possible(side.snapshot, side.switches, id, now));
        after.and_then(held).or_else(|| before.filter(|_| !after.is_some_and(is_on)).and_then(held))
    }

    /// The hold as `--json` has it.
    fn name(&self) -> &'static str {
        match self {
            Hold::Kill => "kill",
            Hold::RequiredKill(_) => "required",
            Hold::Stop => "stop",
        }
    }

    /// The state, and the command that ends it.
    fn texts(&self, flag: &str) -> (String, String) {
        let revive = |flag: &str| format!("`flagstone revive {}`", display::argument(flag));
        match self {
            Hold::Kill => ("it is killed".to_owned(), revive(flag)),
            Hold::RequiredKill(required) => {
                (format!("{}, which it requires, is killed", display::plain(required)), revive(required))
            }
            Hold::Stop => ("everything is stopped".to_owned(), "`flagstone resume-all`".to_owned()),
        }
    }
}

/// The companies that have a flag, before and after.
#[derive(Default)]
pub struct Sides<'a> {
    pub before: usize,
    pub inside: Vec<Key<'a>>,
    pub enters: Vec<Key<'a>>,
    pub leaves: Vec<Key<'a>>,
}

/// Asks both sides about each company, at `now`, in microseconds since 1970. A missing side answers off.
pub fn sides<'a>(flag: &str, keys: &[Key<'a>], sides: [Option<Side>; 2], now: i64) -> Sides<'a> {
    let [before, after] = sides.map(|side| side.map(|side| (side, side.find(flag))));
    let asked = |keys: &[Key<'a>]| {
        let mut sides = Sides::default();
        for key in keys {
            let before = before.is_some_and(|(side, flag)| side.has(flag, *key, now));
            let after = after.is_some_and(|(side, flag)| side.has(flag, *key, now));
            sides.before += usize::from(before);
            match (before, after) {
                (false, true) => sides.enters.push(*key),
                (true, false) => sides.leaves.push(*key),
                _ => {}
            }
            if after {
                sides.inside.push(*key);
            }
        }
        sides
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(keys.len().div_ceil(CHUNK));
    if threads < 2 {
        return asked(keys);
    }
    thread::scope(|scope| {
        let parts = keys.chunks(keys.len().div_ceil(threads));
        let asked = &asked;
        let begin = |part| (part, thread::Builder::new().spawn_scoped(scope, move || asked(part)).ok());
        let parts: Vec<_> = parts.map(begin).collect();
        let mut whole = Sides::default();
        for (part, thread) in parts {
            let mut part = thread.and_then(|thread| thread.join().ok()).unwrap_or_else(|| asked(part));
            whole.before += part.before;
            whole.inside.append(&mut part.inside);
            whole.enters.append(&mut part.enters);
            whole.leaves.append(&mut part.leaves);
        }
        whole
    })
}

/// The effect of a change on one flag: once the hold ends, if there is one.
struct FlagReach {
    flag: String,
    hold: Option<Hold>,
    before: usize,
    after: usize,
    on: (usize, Vec<Value>, String),
    off: (usize, Vec<Value>, String),
    /// Further attributes that the flag reads.
    needs: Vec<String>,
    /// The reason that the share that loses it is unknown.
    unknown: Option<String>,
    /// Companies that the change denies and that the list lacks: they may be mistyped.
    denied_unlisted: Vec<String>,
}

/// The effect of a change on companies.
pub struct Reach {
    list: String,
    companies: usize,
    repeated: u64,
    share: f64,
    flags: Vec<FlagReach>,
    /// Flags that ask nothing: a file spells out who loses them.
    reviewed: BTreeSet<String>,
}

/// Asks both sides about these flags.
pub fn measure(
    list: &List,
    share: f64,
    pair: [Option<Side>; 2],
    flags: &BTreeSet<&str>,
    definitions: Option<(&Definitions, &Definitions)>,
) -> Result<Reach, Failure> {
    let _progress = Progress::begin(format!("asking about the companies of {}", list.name));
    let companies = Companies::read(&list.name, &list.bytes)?;
    let keys = companies.keys();
    let now = flagstone::time::now();
    let none = Switches::none();
    let of = |flag: &&str| {
        let old = definitions.and_then(|(old, _)| old.flags.get(*flag));
        let narrowed = definitions.is_some_and(|(old, new)| may_lose(flag, old, new));
        let is_pilot = old.is_some_and(|flag| is_pilot(flag, now));
        let named = || old.into_iter().flat_map(|flag| &flag.companies.allow);
        let is_pilot = is_pilot && narrowed;
        let unknown = match narrowed && !is_pilot {
            true if keys.is_empty() => Some(format!("{} names no company", list.name)),
            true if old.is_some_and(names_companies) && !named().any(|company| companies.has(company)) => {
                Some(format!("{} has none of the companies that the flag allows", list.name))
            }
            _ => None,
        };
        let denied = definitions
            .and_then(|(_, new)| new.flags.get(*flag))
            .into_iter()
            .flat_map(|flag| &flag.companies.deny);
        let denied_before =
            |company: &CompanyId| old.is_some_and(|flag| flag.companies.deny.binary_search(company).is_ok());
        let denied_unlisted = match keys.is_empty() {
            true => Vec::new(),
            false => denied
                .filter(|company| !denied_before(company) && !companies.has(company))
                .map(ToString::to_string)
                .collect(),
        };
        // Only the companies that a pilot allows have it, so all of them are known.
        let pilots: Vec<Key> = match is_pilot {
            true => {
                let others = named().filter(|company| !companies.has(company)).map(key_of);
                others.chain(keys.iter().copied()).collect()
            }
            false => Vec::new(),
        };
        let hold = definitions.and_then(|_| Hold::of(flag, pair, now));
        let open = pair.map(|side| side.map(|side| Side { switches: &none, ..side }));
        let pair = if hold.is_some() { open } else { pair };
        let found = sides(flag, if is_pilot { &pilots } else { &keys }, pair, now);
        let told = |keys: &[Key]| {
            let some = display::some(keys.iter().map(|key| display::key(*key)), EXAMPLES);
            (keys.len(), keys.iter().take(EXAMPLES).map(|key| display::key_json(*key)).collect(), some)
        };
        let needs = pair.iter().flatten().filter_map(|side| Some(side.snapshot.needs(side.find(flag)?)));
        let needs: BTreeSet<String> = needs.flatten().map(str::to_owned).collect();
        FlagReach {
            flag: (*flag).to_owned(),
            hold,
            before: found.before,
            after: found.inside.len(),
            on: told(&found.enters),
            off: told(&found.leaves),
            needs: needs.into_iter().collect(),
            unknown,
            denied_unlisted,
        }
    };
    let flags = flags.iter().map(of).collect();
    Ok(Reach {
        list: list.name.clone(),
        companies: keys.len(),
        repeated: companies.repeated,
        share,
        flags,
        reviewed: BTreeSet::new(),
    })
}

/// The reach of a publish: each flag that differs, that requires one that does, or whose segments may.
pub fn of_definitions(
    list: &List,
    share: f64,
    before: Option<&Snapshot>,
    (old, new): (&Definitions, &Definitions),
    holds: &Holds,
    environment: &str,
) -> Result<Reach, Failure> {
    let flags = affected(old, new);
    measure_change(list, share, before, (old, new), (holds, environment), &flags)
}

fn measure_change(
    list: &List,
    share: f64,
    before: Option<&Snapshot>,
    (old, new): (&Definitions, &Definitions),
    (holds, environment): (&Holds, &str),
    flags: &BTreeSet<&str>,
) -> Result<Reach, Failure> {
    let after = part(new, flags, environment)?;
    let snapshots = [before, Some(&after)];
    let switches = snapshots.map(|snapshot| snapshot.map(|snapshot| holds.switches(snapshot)));
    let [before, after] = [0, 1].map(|side| {
        let (snapshot, switches) = (snapshots[side], switches[side].as_ref());
        snapshot.zip(switches).map(|(snapshot, switches)| Side { snapshot, switches })
    });
    measure(list, share, [before, after], flags, Some((old, new)))
}

/// The reach of a publish on pilots, without a list: only the companies that a pilot allows have it. None if no pilot loses any.
pub fn of_pilots(
    share: f64,
    before: Option<&Snapshot>,
    ((old, new), reviewed): ((&Definitions, &Definitions), &[String]),
    holds: &Holds,
    environment: &str,
) -> Result<Option<Reach>, Failure> {
    let now = flagstone::time::now();
    let pilot = |flag: &&str| {
        let was = old.flags.get(*flag);
        was.is_some_and(|was| is_pilot(was, now)) && may_lose(flag, old, new)
    };
    let flags: BTreeSet<&str> = affected(old, new)
        .into_iter()
        .filter(pilot)
        .filter(|flag| reviewed.iter().all(|reviewed| reviewed != flag))
        .collect();
    if flags.is_empty() {
        return Ok(None);
    }
    let list = List { name: "the flags' own lists".to_owned(), bytes: Vec::new() };
    let mut reach = measure_change(&list, share, before, (old, new), (holds, environment), &flags)?;
    reach.companies = reach.flags.iter().map(|flag| flag.before).sum();
    Ok(Some(reach).filter(|reach| reach.flags.iter().any(|flag| flag.off.0 > 0)))
}

/// True if some flag is on only for the companies that it allows.
pub fn has_pilots(definitions: &Definitions) -> bool {
    let now = flagstone::time::now();
    definitions.flags.values().any(|flag| is_pilot(flag, now))
}

fn names_companies(flag: &Flag) -> bool {
    !flag.companies.allow.is_empty()
}

fn key_of(company: &CompanyId) -> Key<'_> {
    match company {
        CompanyId::Int(int) => Key::Int(*int),
        CompanyId::Text(text) => Key::Text(text.as_bytes()),
    }
}

/// True if the flag is on only for the companies that it allows, now and later.
fn is_pilot(flag: &Flag, now: i64) -> bool {
    let nobody = |percentage: Percentage| percentage == Percentage::NONE;
    names_companies(flag)
        && flag.rules.is_empty()
        && nobody(flag.percentage_at(now).0)
        && flag.schedule.iter().all(|step| nobody(step.percentage))
}

/// True if some companies may lose the flag, by itself or by a flag that it requires.
fn may_lose(flag: &str, old: &Definitions, new: &Definitions) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![flag];
    while let Some(key) = open.pop() {
        let Some(was) = old.flags.get(key).filter(|_| seen.insert(key)) else { continue };
        let segments = !was.rules.is_empty() && old.segments != new.segments;
        if segments || narrows(was, new.flags.get(new.current_key(key))) {
            return true;
        }
        open.extend(was.requires.iter().map(String::as_str));
    }
    false
}

/// True if some companies may lose the flag: after any change that does more than add companies.
fn narrows(was: &Flag, is: Option<&Flag>) -> bool {
    let Some(is) = is.filter(|is| is.enabled || !was.enabled) else { return was.enabled };
    let share = |flag: &Flag| flag.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage);
    let subset = |a: &[CompanyId], b: &[CompanyId]| a.iter().all(|id| b.binary_search(id).is_ok());
    let widened = Flag {
        enabled: was.enabled,
        rollout: was.rollout.clone(),
        companies: was.companies.clone(),
        ..is.clone()
    };
    let drawn =
        |flag: &Flag| flag.rollout.clone().map(|rollout| Rollout { percentage: Percentage::FULL, ..rollout });
    let rollout =
        (drawn(was) == drawn(is) || was.rollout.is_none() || is.rollout.is_none()) && share(is) >= share(was);
    was.enabled
        && !(rollout
            && subset(&was.companies.allow, &is.companies.allow)
            && subset(&is.companies.deny, &was.companies.deny)
            && widened.answering() == was.clone().answering())
}

/// The flags whose answers may differ.
fn affected<'a>(old: &'a Definitions, new: &'a Definitions) -> BTreeSet<&'a str> {
    let keys = || old.flags.keys().chain(new.flags.keys());
    let segments = old.segments != new.segments;
    let differs = |key: &&String| {
        let (a, b) = (old.flags.get(*key), new.flags.get(*key));
        (a != b && a.map(without_state) != b.map(without_state))
            || (segments && [a, b].into_iter().flatten().any(|flag| !flag.rules.is_empty()))
    };
    let mut found: BTreeSet<&str> = keys().filter(differs).map(String::as_str).collect();
    loop {
        let before = found.len();
        for (key, flag) in old.flags.iter().chain(&new.flags) {
            if flag.requires.iter().any(|required| found.contains(required.as_str())) {
                found.insert(key);
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// Removes what a store keeps with a flag, which changes no answer.
fn without_state(flag: &Flag) -> Flag {
    Flag { state: FlagState::default(), ..flag.clone() }
}

/// A snapshot of these flags and all that they require.
pub fn part(
    definitions: &Definitions,
    keys: &BTreeSet<&str>,
    environment: &str,
) -> Result<Snapshot, Failure> {
    let mut flags = BTreeMap::new();
    let mut wanted: Vec<&str> = keys.iter().copied().collect();
    while let Some(key) = wanted.pop() {
        // A former key is answered by the flag that has it.
        let key = definitions.current_key(key);
        if let Some(flag) = definitions.flags.get(key)
            && flags.insert(key.to_owned(), flag.clone()).is_none()
        {
            wanted.extend(flag.requires.iter().map(String::as_str));
        }
    }
    let segments = definitions.segments.clone();
    compiled(&Definitions { flags, segments, ..Definitions::default() }, environment)
}

/// A snapshot that stays within this process.
pub fn compiled(definitions: &Definitions, environment: &str) -> Result<Snapshot, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::Unknown(format!("whom it reaches cannot be told: {error}"));
    let bytes = compile(definitions, environment).map_err(|error| failed(&error))?;
    Snapshot::from_bytes(&bytes).map_err(|error| failed(&error))
}

impl Reach {
    /// Excludes the flags that a file spells out from the questions.
    pub fn with_reviewed(self, flags: &[String]) -> Reach {
        Reach { reviewed: flags.iter().cloned().collect(), ..self }
    }

    /// The flag that loses the greatest share of its companies, if that share needs a confirmation.
    fn worst(&self) -> Option<&FlagReach> {
        let share = |flag: &FlagReach| flag.off.0 as f64 / flag.before.max(1) as f64;
        let asked = self.flags.iter().filter(|flag| !self.reviewed.contains(&flag.flag));
        let worst = asked.max_by(|a, b| share(a).total_cmp(&share(b)))?;
        (share(worst) > self.share).then_some(worst)
    }

    /// Prints the reach as text.
    pub fn tell(&self, output: &mut Output) {
        let companies = display::counted(self.companies as u64, "company");
        let repeated = match self.repeated {
            0 => String::new(),
            count => format!(", {} named again", display::counted(count, "id")),
        };
        let answers = if self.flags.is_empty() { " no answer differs" } else { "" };
        output.line(output.paint(DIM, format!("of {companies} in {}{repeated}:{answers}", self.list)));
        for flag in self.flags.iter().take(MAX_SHOWN_FLAGS) {
            let (name, before, after) = (
                display::plain(&flag.flag),
                display::thousands(flag.before as u64),
                display::thousands(flag.after as u64),
            );
            let same = flag.on.0 + flag.off.0 == 0;
            match flag.hold.as_ref().map(|hold| hold.texts(&flag.flag)) {
                Some((why, end)) => output.line(format!(
                    "  {name}: nobody has it while {why}; after {end} {after} have it, {}",
                    if same {
                        "as before this change".to_owned()
                    } else {
                        format!("{before} without this change")
                    }
                )),
                None if same => output.line(format!("  {name}: {before} have it, as before")),
                None => output.line(format!("  {name}: {before} → {after} have it")),
            }
            for (sign, style, (count, _, some)) in [("+", GOOD, &flag.on), ("-", WARN, &flag.off)] {
                if *count > 0 {
                    let count = display::thousands(*count as u64);
                    output.line(format!("    {}  {some}", output.paint(style, format!("{sign}{count}"))));
                }
            }
            if !flag.denied_unlisted.is_empty() {
                let some = display::some(
                    flag.denied_unlisted.iter().map(|company| display::plain(company)),
                    EXAMPLES,
                );
                output
                    .line(output.paint(WARN, format!("    {name} denies what {} lacks: {some}", self.list)));
            }
            if !flag.needs.is_empty() {
                let needs = display::plain(&flag.needs.join(", ")).into_owned();
                output.line(output.paint(DIM, format!("    it also reads {needs}, which counts as missing")));
            }
        }
        if self.flags.len() > MAX_SHOWN_FLAGS {
            let more = display::counted((self.flags.len() - MAX_SHOWN_FLAGS) as u64, "flag");
            output.line(format!("  … and {more} more (--json tells of all)"));
        }
    }

    /// The reach as `--json` has it.
    pub fn json(&self) -> Value {
        let flags = self.flags.iter().map(|flag| {
            let counts = |before: usize, after: usize, on: (usize, &[Value]), off: (usize, &[Value])| {
                json!({
                    "before": before,
                    "after": after,
                    "turns_on": on.0,
                    "turns_on_examples": on.1,
                    "turns_off": off.0,
                    "turns_off_examples": off.1,
                })
            };
            let open = counts(flag.before, flag.after, (flag.on.0, &flag.on.1), (flag.off.0, &flag.off.1));
            let mut json = match flag.hold {
                Some(_) => counts(0, 0, (0, &[]), (0, &[])),
                None => open.clone(),
            };
            json["flag"] = flag.flag.as_str().into();
            json["held"] = flag.hold.as_ref().map_or(Value::Null, |hold| {
                let mut held = open;
                held["by"] = hold.name().into();
                held
            });
            json["counts_as_missing"] = json!(flag.needs);
            json["denied_unlisted"] = flag.denied_unlisted.len().into();
            json["denied_unlisted_examples"] =
                flag.denied_unlisted.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().into();
            json
        });
        json!({
            "companies": self.companies,
            "confirm_above": self.share,
            "asks": self.worst().is_some() || self.unknown().is_some(),
            "flags": flags.collect::<Vec<Value>>(),
        })
    }

    /// The reason that the share that loses a flag is unknown, if it is.
    fn unknown(&self) -> Option<String> {
        let asked = self.flags.iter().filter(|flag| !self.reviewed.contains(&flag.flag));
        asked.filter_map(|flag| Some((flag, flag.unknown.as_ref()?))).next().map(|(flag, why)| {
            format!("{why}: cannot determine how many companies lose {}", display::plain(&flag.flag))
        })
    }

    /// Asks if the share turned off needs a confirmation or is unknown, unless `yes` was said.
    pub fn agreed(&self, yes: bool, output: &mut Output) -> Result<(), Failure> {
        if let Some(problem) = self.unknown().filter(|_| self.worst().is_none()) {
            return agreed_unknown(&problem, yes, output);
        }
        let Some(worst) = self.worst().filter(|_| !yes) else { return Ok(()) };
        let percent = |share: f64| format!("{} %", (share * 100_000.0).round() / 1_000.0);
        let (flag, off) = (display::plain(&worst.flag), display::thousands(worst.off.0 as u64));
        let (all, share) = (display::counted(worst.before as u64, "company"), percent(self.share));
        let told = match worst.hold.as_ref().map(|hold| hold.texts(&worst.flag)) {
            Some((why, end)) => format!(
                "nobody has {flag} while {why}; {off} of the {all} that {end} would give it back to do not get it, more than {share}"
            ),
            None => format!("{flag} turns off for {off} of the {all} that have it, more than {share}"),
        };
        match confirm::confirmed(&format!("{told}. Go on?"), output) {
            true => Ok(()),
            false => Err(Failure::Refused(format!("{told}; nothing was changed. With --yes it is done"))),
        }
    }
}
