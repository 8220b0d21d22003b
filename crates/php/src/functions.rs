//! PHP's functions. Each reads its arguments, asks the engine, and writes the answer.

use crate::call::{self, FLAG, QUESTION, QUESTION_DEFAULT, Question, argument, count, exact, parse};
use crate::context::{Attributes, PhpContext, describe};
use crate::globals::{Globals, soundly};
use crate::memory::MemoryWatch;
use crate::overrides::{self, Overrides};
use crate::php::{self, Text, guarded, with_globals};
use crate::{named_store, status, values};
use engine::session::Pin;
use engine::telemetry::{AnsweredQuestion, Status};
use engine::{Answer, FlagId, Key, Reason, Snapshot, VariantRef};
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::ExecuteData;

const IS_FALSE: u32 = 2;

/// `feature_enabled(string $flag, int|string|null $company = null, array $context = []): bool`
pub(crate) extern "C" fn feature_enabled(frame: &mut ExecuteData, result: &mut Zval) {
    // True's type number follows false's, so the answer is written without a branch on it.
    result.u1.type_info =
        IS_FALSE + guarded(0, || quick_enabled(frame).unwrap_or_else(|| u32::from(enabled(frame))));
}

/// Answers for a flag and an int if the snapshot alone decides: 1 on, 0 off.
#[inline(always)]
fn quick_enabled(frame: &ExecuteData) -> Option<u32> {
    let (hash, flag, company) = call::flag_and_int(frame)?;
    with_globals(|globals| globals.session.quick_int(hash, flag, company))
}

/// Answers by every step. Conversions and evaluation are in other functions, so that the question stays in registers here.
#[inline(never)]
fn enabled(frame: &ExecuteData) -> bool {
    let Some(question) = exact(frame) else { return parsed(frame) };
    match quick_key(&question) {
        Ok(on) => {
            counted(on);
            on == 1
        }
        Err(flag) => exactly(frame, flag),
    }
}

/// Answers for arguments that PHP has to convert.
#[inline(never)]
fn parsed(frame: &ExecuteData) -> bool {
    let Some(question) = parse(frame, &QUESTION) else { return false };
    let on = match quick_key(&question) {
        Ok(on) => on,
        Err(flag) => u32::from(evaluated(&question, flag)),
    };
    counted(on);
    on == 1
}

/// Answers an exact question that [`quick_key`] could not decide; `flag` is what it found.
#[inline(never)]
fn exactly(frame: &ExecuteData, flag: Option<FlagId>) -> bool {
    let Some(question) = exact(frame) else { return false };
    let on = evaluated(&question, flag);
    counted(u32::from(on));
    on
}

/// Same as [`quick_enabled`], for any company.
#[inline(always)]
fn quick_key(question: &Question<'_>) -> Result<u32, Option<FlagId>> {
    with_globals(|globals| globals.session.quick_key(question.hash, question.flag, &question.company))
}

/// Counts an answer: 1 on, 0 off.
#[inline(always)]
fn counted(on: u32) {
    with_globals(|globals| globals.session.count(on));
}

/// Answers a question that [`quick_key`] could not decide; `flag` is what it found.
#[inline]
fn evaluated(question: &Question<'_>, flag: Option<FlagId>) -> bool {
    if let Some(flag) = flag {
        let attributes = Attributes::of(question.context);
        let on = with_globals(|globals| {
            let session = &mut globals.session;
            let now = session.instant();
            let (Some(Pin { snapshot, switches }), counting) = session.pinned_and_counting() else {
                return None;
            };
            let asked = as_engine(question, &attributes, now);
            let answer = engine::evaluate(snapshot, switches, flag, &asked);
            // An answer that met an object, or whose snapshot was lost, is discarded.
            if attributes.unsettled() || snapshot.lost() {
                return None;
            }
            let asked = AnsweredQuestion {
                flag,
                on: answer.on,
                reason: answer.reason,
                company: question.company,
                bucket: answer.bucket,
            };
            counting.answered(snapshot, &asked, true);
            Some(answer.on)
        });
        if let Some(on) = on {
            return on;
        }
    }
    settled(question.context, |attributes| {
        with_globals(|globals| asked(globals, question, attributes, Depth::Answer, true).on)
    })
}

/// `feature_peek(string $flag, int|string|null $company = null, array $context = []): bool`
pub(crate) extern "C" fn feature_peek(frame: &mut ExecuteData, result: &mut Zval) {
    let on = guarded(false, || {
        let Some(question) = exact(frame).or_else(|| parse(frame, &QUESTION)) else { return false };
        let on = settled(question.context, |attributes| {
            with_globals(|globals| asked(globals, &question, attributes, Depth::Answer, false).on)
        });
        counted(u32::from(on));
        on
    });
    result.set_bool(on);
}

fn as_engine<'a>(
    question: &Question<'a>,
    attributes: &'a Attributes<'a>,
    now: i64,
) -> engine::Question<'a, Attributes<'a>> {
    engine::Question { company: question.company, context: attributes, now }
}

/// Repeats `ask` until PHP has been asked for every object that it met among the attributes. PHP code may run between two
/// calls; only the result of the last one is kept.
#[inline(always)]
fn settled<T>(context: PhpContext<'_>, mut ask: impl FnMut(&Attributes<'_>) -> T) -> T {
    let attributes = Attributes::of(context);
    let said = loop {
        let said = ask(&attributes);
        if !attributes.unsettled() {
            break said;
        }
        drop(said);
        attributes.settle();
    };
    attributes.free();
    said
}

/// [`soundly`], with this thread's globals.
fn soundly_now<T>(answer: impl FnMut(&mut Globals) -> T) -> T {
    with_globals(|globals| soundly(globals, answer))
}

/// Depth to which a question's attributes are read.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Depth {
    /// The attributes that affect the answer.
    Answer,
    /// Those that the variant is drawn by, too.
    Variant,
    /// Those that an explanation shows, too.
    Explanation,
}

/// An answer with its flag, for every path but the quickest. The flag belongs to the pinned view: to ask more about
/// it, take the pin as it is.
struct Found {
    answer: Answer,
    flag: Option<FlagId>,
    told: Option<overrides::OverriddenAnswer>,
    on: bool,
}

/// Answers and counts a question; `exposes`: the answer affects the request.
fn asked(
    globals: &mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    depth: Depth,
    exposes: bool,
) -> Found {
    let found = answer(globals, question, attributes, depth);
    if found.told.is_none() && !attributes.unsettled() {
        match (found.flag, globals.session.pinned_and_counting()) {
            (Some(flag), (Some(pin), counting)) => {
                let asked = AnsweredQuestion {
                    flag,
                    on: found.on,
                    reason: found.answer.reason,
                    company: question.company,
                    bucket: found.answer.bucket,
                };
                counting.answered(pin.snapshot, &asked, exposes);
            }
            (_, (_, counting)) => counting.unknown(),
        }
    }
    found
}

/// Answers as far as the attributes are settled.
fn answer(
    globals: &mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    depth: Depth,
) -> Found {
    let told = globals.overrides.as_ref().and_then(|told| told.answer(question.flag, question.company));
    let now = globals.session.instant();
    let (mut answer, flag) = soundly(globals, |globals| match globals.session.pin() {
        Some(Pin { snapshot, switches }) => match snapshot.find_hashed(question.hash, question.flag) {
            Some(flag) => {
                let asked = as_engine(question, attributes, now);
                let answer = engine::evaluate(snapshot, switches, flag, &asked);
                // Meets now the objects that are read later, so that they are settled with the answer.
                if depth > Depth::Answer && attributes.any() {
                    if told.map_or(answer.on, |told| told.on) {
                        let _ = engine::variant(snapshot, flag, &asked);
                    }
                    if depth == Depth::Explanation {
                        engine::unknown(snapshot, switches, flag, &asked, |_| ());
                    }
                }
                (answer, Some(flag))
            }
            None => (Answer::off(Reason::UnknownFlag), None),
        },
        None => (Answer::off(Reason::NoSnapshot), None),
    });
    if let Some(told) = told {
        answer = Answer { on: told.on, ..Answer::off(Reason::Override) };
    }
    Found { on: answer.on, answer, flag, told }
}

/// `feature_possible(string $flag): bool`
pub(crate) extern "C" fn feature_possible(frame: &mut ExecuteData, result: &mut Zval) {
    let possible = guarded(false, || {
        let Some(question) = parse(frame, &FLAG) else { return false };
        with_globals(|globals| {
            if let Some(told) = globals.overrides.as_ref().and_then(|told| told.possible(question.flag)) {
                return told;
            }
            let now = globals.session.instant();
            soundly(globals, |globals| {
                globals.session.pin().is_some_and(|pin| {
                    pin.snapshot
                        .find_hashed(question.hash, question.flag)
                        .is_some_and(|flag| engine::possible(pin.snapshot, pin.switches, flag, now))
                })
            })
        })
    });
    result.set_bool(possible);
}

/// `feature_variant(string $flag, int|string|null $company = null, array $context = []): ?string`
pub(crate) extern "C" fn feature_variant(frame: &mut ExecuteData, result: &mut Zval) {
    let variant = guarded(values::null(), || {
        let Some(question) = exact(frame).or_else(|| parse(frame, &QUESTION)) else { return values::null() };
        settled(question.context, |attributes| {
            soundly_now(|globals| {
                let found = asked(globals, &question, attributes, Depth::Variant, true);
                variant_name(globals, &question, attributes, &found, !attributes.unsettled())
            })
        })
    });
    set_result(result, variant);
}

fn variant_name(
    globals: &mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    found: &Found,
    exposes: bool,
) -> Zval {
    match found.told {
        Some(told) if told.names_variant || !told.on => {
            values::or_null(told_variant(globals, question), values::string)
        }
        _ => {
            let variant = drawn(globals, question, attributes, found, exposes);
            values::or_null(variant, |(_, variant)| values::string(variant.name.as_bytes()))
        }
    }
}

/// Variant that a test set for the question.
fn told_variant<'a>(globals: &'a Globals, question: &Question<'_>) -> Option<&'a [u8]> {
    globals.overrides.as_ref()?.variant(question.flag, question.company)
}

/// Variant that the question draws, with its snapshot; `exposes`: the request is counted for it.
fn drawn<'a>(
    globals: &'a mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    found: &Found,
    exposes: bool,
) -> Option<(&'a Snapshot, VariantRef<'a>)> {
    let now = globals.session.instant();
    let flag = found.flag.filter(|_| found.on)?;
    let (pin, counting) = globals.session.pinned_and_counting();
    let snapshot = pin?.snapshot;
    let variant = engine::variant(snapshot, flag, &as_engine(question, attributes, now))?;
    if exposes && found.told.is_none() {
        counting.shows(snapshot, flag, variant.name);
    }
    Some((snapshot, variant))
}

/// `feature_value(string $flag, int|string|null $company = null, array $context = [], mixed $default = null): mixed`
pub(crate) extern "C" fn feature_value(frame: &mut ExecuteData, result: &mut Zval) {
    let value = guarded(values::null(), || {
        let question = if count(frame) <= 3 { exact(frame) } else { None };
        let Some(question) = question.or_else(|| parse(frame, &QUESTION_DEFAULT)) else {
            return values::null();
        };
        let value = settled(question.context, |attributes| {
            soundly_now(|globals| value(globals, &question, attributes))
        });
        value.unwrap_or_else(|| {
            if count(frame) < 4 {
                return values::null();
            }
            // SAFETY: there are four arguments.
            php::dereferenced(unsafe { argument(frame, 3) }).shallow_clone()
        })
    });
    set_result(result, value);
}

/// Value of the variant that the flag shows; `None` if there is none.
fn value(globals: &mut Globals, question: &Question<'_>, attributes: &Attributes<'_>) -> Option<Zval> {
    let found = asked(globals, question, attributes, Depth::Variant, true);
    let shown = match found.told {
        Some(told) if told.names_variant => {
            let name = told_variant(globals, question).unwrap_or_default();
            let flag = found.flag.filter(|_| found.on).zip(globals.session.pinned_as_it_is());
            flag.and_then(|(flag, pin)| {
                Some((pin.snapshot, engine::variant_named(pin.snapshot, flag, name)?))
            })
        }
        _ => drawn(globals, question, attributes, &found, !attributes.unsettled()),
    };
    shown.and_then(|(snapshot, variant)| Some(values::of(snapshot, variant.value?)))
}

/// `feature_explain(string $flag, int|string|null $company = null, array $context = []): array`
pub(crate) extern "C" fn feature_explain(frame: &mut ExecuteData, result: &mut Zval) {
    let explained = guarded(values::null(), || {
        let Some(question) = exact(frame).or_else(|| parse(frame, &QUESTION)) else { return values::null() };
        settled(question.context, |attributes| soundly_now(|globals| explain(globals, &question, attributes)))
    });
    set_result(result, explained);
}

fn explain(globals: &mut Globals, question: &Question<'_>, attributes: &Attributes<'_>) -> Zval {
    let found = answer(globals, question, attributes, Depth::Explanation);
    let variant = variant_name(globals, question, attributes, &found, false);
    let now = globals.session.instant();
    let (generation, told) = (globals.session.view().map_or(0, |view| view.generation), found.told.is_some());
    let pin = globals.session.pinned_as_it_is();
    let rule = found.answer.rule.map(|rule| {
        let name = pin.zip(found.flag).and_then(|(pin, flag)| engine::rule_name(pin.snapshot, flag, rule));
        name.map_or_else(
            || values::string(format!("#{rule}").as_bytes()),
            |name| values::string(name.as_bytes()),
        )
    });
    let prerequisite = found.answer.blocker.zip(pin).map(|(flag, pin)| pin.snapshot.flag_key(flag));
    let missing = pin
        .zip(found.flag)
        .filter(|_| !told)
        .map(|(pin, flag)| values::strings(engine::missing(pin.snapshot, flag, attributes)));
    let unknown = pin
        .zip(found.flag)
        .filter(|_| !told)
        .map(|(pin, flag)| unknown(pin, flag, question, &as_engine(question, attributes, now)));
    let mut table = ZendHashTable::with_capacity(16);
    let mut set = |name, value| values::put_name(&mut table, name, value);
    set("enabled", values::boolean(found.on));
    set("reason", values::string(found.answer.reason.as_str().as_bytes()));
    set("flag", values::string(question.flag));
    set("company", values::or_null(question.company, key));
    set("rule", values::or_null(rule, |rule| rule));
    set("bucket", values::or_null(found.answer.bucket, |bucket| values::long(bucket.into())));
    set("percentage", values::or_null(found.answer.percentage, |p| values::double(f64::from(p) / 1000.0)));
    set("variant", variant);
    set("prerequisite", values::or_null(prerequisite, |key| values::string(key.as_bytes())));
    set("missing", missing.unwrap_or_else(|| values::strings(std::iter::empty())));
    set("unknown", unknown.unwrap_or_else(|| values::strings(std::iter::empty())));
    set("environment", values::or_null(pin, |pin| values::string(pin.snapshot.environment().as_bytes())));
    set("generation", values::long(generation as i64));
    values::array(table)
}

/// Attributes that could not be compared, each with its type and the expected one.
fn unknown(
    pin: Pin<'_>,
    flag: FlagId,
    question: &Question<'_>,
    asked: &engine::Question<'_, Attributes<'_>>,
) -> Zval {
    let (mut list, mut named) = (ZendHashTable::new(), ZendHashTable::new());
    let mut memory = MemoryWatch::start();
    engine::unknown(pin.snapshot, pin.switches, flag, asked, |unknown| {
        if memory.exceeded(unknown.attribute.len()) {
            return;
        }
        let known = i64::from(named.len() as u32);
        values::insert(&mut named, Key::Text(unknown.attribute.as_bytes()), values::null());
        if i64::from(named.len() as u32) == known {
            return;
        }
        let kind = match (unknown.attribute, question.company) {
            ("company", Some(company)) => describe(&key(company)),
            (name, _) => question.context.describe(name),
        };
        let mut entry = ZendHashTable::with_capacity(4);
        values::put_name(&mut entry, "attribute", values::string(unknown.attribute.as_bytes()));
        values::put_name(&mut entry, "type", values::string(kind.as_bytes()));
        values::put_name(&mut entry, "expected", values::string(unknown.expected.as_bytes()));
        values::insert(&mut list, Key::Int(known), values::array(entry));
    });
    values::array(list)
}

fn key(key: Key<'_>) -> Zval {
    match key {
        Key::Int(int) => values::long(int),
        Key::Text(text) => values::string(text),
    }
}

/// `feature_all(int|string|null $company = null, array $context = []): array`
pub(crate) extern "C" fn feature_all(frame: &mut ExecuteData, result: &mut Zval) {
    let all = guarded(values::null(), || {
        let Some(question) = call::parse_all(frame) else { return values::null() };
        settled(question.context, |attributes| soundly_now(|globals| all(globals, &question, attributes)))
    });
    set_result(result, all);
}

/// Answers every flag as far as the attributes are settled.
fn all(globals: &mut Globals, question: &Question<'_>, attributes: &Attributes<'_>) -> Zval {
    let now = globals.session.instant();
    let (mut table, mut memory) = (ZendHashTable::new(), MemoryWatch::start());
    globals.session.pin();
    let overrides = globals.overrides.as_deref();
    if let Some(pin) = globals.session.pinned_as_it_is() {
        for flag in pin.snapshot.flag_ids() {
            let name = pin.snapshot.flag_key(flag).as_bytes();
            let told = overrides.and_then(|told| told.answer(name, question.company)).map(|told| told.on);
            let on = told.unwrap_or_else(|| {
                engine::enabled(pin.snapshot, pin.switches, flag, &as_engine(question, attributes, now))
            });
            put_flag(&mut table, name, on);
            if attributes.unsettled() || memory.exceeded(name.len()) {
                break;
            }
        }
    }
    for name in overrides.into_iter().flat_map(Overrides::flags) {
        let told = overrides.and_then(|told| told.answer(name, question.company));
        put_flag(&mut table, name, told.is_some_and(|told| told.on));
    }
    values::array(table)
}

fn put_flag(table: &mut ZendHashTable, name: &[u8], on: bool) {
    values::insert(table, Key::from_bytes(name).unwrap_or(Key::Text(name)), values::boolean(on));
}

/// `feature_filter(string $flag, array $companies, array $context = []): array`
pub(crate) extern "C" fn feature_filter(frame: &mut ExecuteData, result: &mut Zval) {
    let filtered = guarded(values::null(), || {
        let Some((question, companies)) = call::parse_filter(frame) else { return values::null() };
        settled(question.context, |attributes| filter(&question, companies, attributes))
    });
    set_result(result, filtered);
}

/// Companies for which the flag is on, as far as the attributes are settled; null if PHP has thrown.
fn filter(question: &Question<'_>, companies: &ZendHashTable, attributes: &Attributes<'_>) -> Zval {
    let (mut table, mut memory) = (ZendHashTable::new(), MemoryWatch::start());
    for (key, value) in values::entries(companies) {
        let value = php::dereferenced(value);
        // PHP may convert the value in place, and the array is the caller's; its error handler may run, and ask a question itself.
        let mut given = value.shallow_clone();
        // SAFETY: a value of this function's own, which lives as long as the company is used.
        let company = unsafe { call::company(&raw mut given, 2) };
        let Some(company) = company else { return values::null() };
        let question = Question { company, ..*question };
        let on = with_globals(|globals| answer(globals, &question, attributes, Depth::Answer)).on;
        if attributes.unsettled() || memory.exceeded(0) {
            break;
        }
        if on {
            values::insert(&mut table, values::entry_key(&key), value.shallow_clone());
        }
    }
    values::array(table)
}

/// `feature_needs(string $flag): array`
pub(crate) extern "C" fn feature_needs(frame: &mut ExecuteData, result: &mut Zval) {
    let needs = guarded(values::null(), || {
        let Some(question) = parse(frame, &FLAG) else { return values::null() };
        soundly_now(|globals| {
            let pin = globals.session.pin();
            let flag =
                pin.and_then(|pin| Some((pin, pin.snapshot.find_hashed(question.hash, question.flag)?)));
            match flag {
                Some((pin, flag)) => values::strings(pin.snapshot.needs(flag)),
                None => values::strings(std::iter::empty()),
            }
        })
    });
    set_result(result, needs);
}

/// `flagstone_status(): array`
pub(crate) extern "C" fn flagstone_status(frame: &mut ExecuteData, result: &mut Zval) {
    let status = guarded(values::null(), || match call::parse_none(frame) {
        Some(()) => with_globals(status::array),
        None => values::null(),
    });
    set_result(result, status);
}

/// `flagstone_refresh(): bool`
pub(crate) extern "C" fn flagstone_refresh(frame: &mut ExecuteData, result: &mut Zval) {
    let moved = guarded(false, || match call::parse_none(frame) {
        Some(()) => with_globals(|globals| globals.session.refresh()),
        None => false,
    });
    result.set_bool(moved);
}

/// `flagstone_request_begin(): int`
pub(crate) extern "C" fn flagstone_request_begin(frame: &mut ExecuteData, result: &mut Zval) {
    let token = guarded(0, || {
        if call::parse_none(frame).is_none() {
            return 0;
        }
        let place = call::place_of(frame);
        with_globals(|globals| {
            let begun = globals.session.mark_begin(place);
            if begun.outermost && globals.session.ends_overrides() {
                globals.set_overrides(None);
            }
            begun.token.cast_signed()
        })
    });
    result.set_long(token);
}

/// `flagstone_request_end(int $status = 0, ?int $token = null): void`
pub(crate) extern "C" fn flagstone_request_end(frame: &mut ExecuteData, result: &mut Zval) {
    guarded((), || {
        let Some((status, token)) = call::parse_end(frame) else { return };
        let status = match u16::try_from(status) {
            Ok(0) => Status::Done,
            Ok(status @ 100..=599) => Status::Http(status),
            _ if status == -1 => Status::Failed,
            _ => {
                let text = Text::new(format_args!(
                    "must be an HTTP status from 100 to 599, 0 for none, or -1 for an exception, {status} given"
                ));
                return php::throw_value(1, &text);
            }
        };
        with_globals(|globals| {
            if globals.session.mark_end(status, token.map(i64::cast_unsigned), php::outcome) {
                globals.set_overrides(None);
            }
        });
    });
    result.set_null();
}

/// `flagstone_gated(string $flag): void`
pub(crate) extern "C" fn flagstone_gated(frame: &mut ExecuteData, result: &mut Zval) {
    guarded((), || {
        let Some(question) = parse(frame, &FLAG) else { return };
        with_globals(|globals| {
            globals.session.pin();
            if let (Some(Pin { snapshot, .. }), counting) = globals.session.pinned_and_counting()
                && let Some(flag) = snapshot.find_hashed(question.hash, question.flag)
            {
                counting.gated(snapshot, flag);
            }
        });
    });
    result.set_null();
}

/// `feature_track(string $event, float $value = 1.0): void`
pub(crate) extern "C" fn feature_track(frame: &mut ExecuteData, result: &mut Zval) {
    guarded((), || {
        let Some((event, value)) = call::parse_event(frame) else { return };
        if event.is_empty() || event.len() > 64 {
            let text = Text::new(format_args!("must have 1 to 64 bytes, it has {}", event.len()));
            return php::throw_value(1, &text);
        }
        if !value.is_finite() {
            return php::throw_value(2, &Text::new(format_args!("must be a finite number")));
        }
        with_globals(|globals| {
            // Opens the memory, if this is the first call of the process.
            globals.session.pin();
            globals.session.counting().track(event, value);
        });
    });
    result.set_null();
}

/// `flagstone_use(string $store): bool`
pub(crate) extern "C" fn flagstone_use(frame: &mut ExecuteData, result: &mut Zval) {
    let used = guarded(false, || {
        let Some(question) = parse(frame, &FLAG) else { return false };
        with_globals(|globals| {
            let session = &mut globals.session;
            if session.has_named(question.flag) {
                return session.error().is_none();
            }
            match named_store::may_be_named(question.flag, &session.host().settings.session.store) {
                Ok(path) => {
                    globals.refused = None;
                    session.name_store(Some(path));
                    session.pin();
                    session.error().is_none()
                }
                Err(why) => {
                    // The store that was named before may be another application's.
                    session.name_store(None);
                    globals.refused = Some(why);
                    false
                }
            }
        })
    });
    result.set_bool(used);
}

/// `flagstone_override(?array $answers, ?bool $otherwise = null): void`
pub(crate) extern "C" fn flagstone_override(frame: &mut ExecuteData, result: &mut Zval) {
    guarded((), || {
        let Some((answers, otherwise)) = call::parse_override(frame) else { return };
        if !with_globals(|globals| globals.settings().override_allowed()) {
            php::throw(c"flagstone_override() is refused: flagstone.allow_override is off in this process");
            return;
        }
        with_globals(|globals| globals.session.override_within_mark());
        if answers.is_none() && otherwise.is_none() {
            with_globals(|globals| globals.set_overrides(None));
        } else {
            match Overrides::new(answers, otherwise) {
                Ok(overrides) => with_globals(|globals| globals.set_overrides(Some(Box::new(overrides)))),
                Err(found) => {
                    let text = Text::new(format_args!(
                        "must be an array of bool, string (a variant) or array of those by company, {found}"
                    ));
                    drop(found);
                    php::throw_argument(1, &text);
                }
            }
        }
    });
    result.set_null();
}

/// Returns an empty answer, to measure the cost of a call that does nothing.
#[cfg(feature = "test-hooks")]
pub(crate) extern "C" fn flagstone_test_empty(_: &mut ExecuteData, result: &mut Zval) {
    result.u1.type_info = IS_FALSE;
}

/// Panics as a defect would.
#[cfg(feature = "test-hooks")]
pub(crate) extern "C" fn flagstone_test_panic(_: &mut ExecuteData, result: &mut Zval) {
    result.set_bool(guarded(false, || panic!("a panic for a test")));
}

/// Hands `value` to PHP. The result is not yet a value, so it is not dropped.
fn set_result(result: &mut Zval, value: Zval) {
    // SAFETY: PHP gives a place for a value; overwriting it without a drop is what a return is.
    unsafe { std::ptr::write(result, value) };
}
