//! PHP's functions. Each reads its arguments, asks the engine, and writes the answer.

use crate::call::{self, FLAG, QUESTION, QUESTION_DEFAULT, Question, argument, count, exact, parse};
use crate::context::{Attributes, PhpContext, describe};
use crate::overrides::{self, Overrides};
use crate::php::{self, Text, globals, guarded};
use crate::pin::{self, Globals, Pin, soundly};
use crate::telemetry;
use crate::{status, stores, values};
use engine::telemetry::{Asked, Status};
use engine::{Answer, FlagId, Key, Reason, Snapshot, VariantRef};
use ext_php_rs::types::{ZendHashTable, Zval};
use ext_php_rs::zend::ExecuteData;

const IS_FALSE: u32 = 2;

/// `feature_enabled(string $flag, int|string|null $company = null, array $context = []): bool`
pub(crate) extern "C" fn feature_enabled(frame: &mut ExecuteData, result: &mut Zval) {
    // True's type number follows false's, so the answer is written without a branch on it.
    result.u1.type_info =
        IS_FALSE + guarded(0, || quickly_enabled(frame).unwrap_or_else(|| u32::from(enabled(frame))));
}

/// The answer for a flag and an int, where the snapshot alone decides: 1 on, 0 off.
#[inline(always)]
fn quickly_enabled(frame: &ExecuteData) -> Option<u32> {
    let (hash, flag, company) = call::flag_and_int(frame)?;
    globals().quickly(hash, flag, company)
}

/// The answer, by every step. What is no exact question or needs evaluation is left to others, so that the question stays in
/// registers here.
#[inline(never)]
fn enabled(frame: &ExecuteData) -> bool {
    let Some(question) = exact(frame) else { return parsed(frame) };
    match quickly_of(globals(), &question) {
        Ok(on) => {
            globals().count(on);
            on == 1
        }
        Err(flag) => exactly(frame, flag),
    }
}

/// The answer for arguments that PHP has to convert.
#[inline(never)]
fn parsed(frame: &ExecuteData) -> bool {
    let Some(question) = parse(frame, &QUESTION) else { return false };
    let on = match quickly_of(globals(), &question) {
        Ok(on) => on,
        Err(flag) => u32::from(evaluated(&question, flag)),
    };
    globals().count(on);
    on == 1
}

/// The answer for an exact question that [`quickly_of`] was just asked, with what it found.
#[inline(never)]
fn exactly(frame: &ExecuteData, flag: Option<FlagId>) -> bool {
    let Some(question) = exact(frame) else { return false };
    let on = evaluated(&question, flag);
    globals().count(u32::from(on));
    on
}

/// As [`quickly_enabled`], for whatever company. It is counted as a question. An error where the snapshot alone does not decide:
/// the flag, where it is one of the snapshot that is pinned, of which none is killed, stopped or overridden.
#[inline(always)]
fn quickly_of(globals: &mut Globals, question: &Question<'_>) -> Result<u32, Option<FlagId>> {
    if globals.overrides.is_some() {
        return Err(None);
    }
    globals.follow();
    let Globals { view, telemetry, .. } = globals;
    let view = view.as_deref().filter(|view| !view.switches.any()).ok_or(None)?;
    let snapshot = view.snapshot.as_deref().ok_or(None)?;
    let flag = snapshot.find_hashed(question.hash, question.flag).ok_or(None)?;
    let quick = snapshot.quick_of(flag, question.company).ok_or(Some(flag))?;
    if snapshot.lost() {
        return Err(None);
    }
    telemetry.quick(snapshot, quick, question.company);
    Ok(quick.on())
}

/// The answer for a question that [`quickly_of`] was just asked, with what it found.
#[inline]
fn evaluated(question: &Question<'_>, flag: Option<FlagId>) -> bool {
    if let Some(flag) = flag {
        let attributes = Attributes::of(question.context);
        let globals = globals();
        let now = globals.instant();
        let Globals { view, telemetry, .. } = globals;
        if let Some(view) = view.as_deref()
            && let Some(snapshot) = view.snapshot.as_deref()
        {
            let asked = as_engine(question, &attributes, now);
            let answer = engine::evaluate(snapshot, &view.switches, flag, &asked);
            // Where an object was met, or the snapshot was lost, nothing is kept of it.
            if !attributes.unsettled() && !snapshot.lost() {
                let asked = Asked { flag, on: answer.on, reason: answer.reason, company: question.company };
                telemetry.answered(snapshot, &asked, true);
                return answer.on;
            }
        }
    }
    let ask = |attributes: &Attributes<'_>| asked(globals(), question, attributes, Depth::Answer, true).on;
    settled(question.context, ask)
}

/// `feature_peek(string $flag, int|string|null $company = null, array $context = []): bool`
pub(crate) extern "C" fn feature_peek(frame: &mut ExecuteData, result: &mut Zval) {
    let on = guarded(false, || {
        let Some(question) = exact(frame).or_else(|| parse(frame, &QUESTION)) else { return false };
        let ask =
            |attributes: &Attributes<'_>| asked(globals(), &question, attributes, Depth::Answer, false).on;
        let on = settled(question.context, ask);
        globals().count(u32::from(on));
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

/// What `ask` says once PHP was asked for every object that it met among the attributes. Between two calls of it PHP code
/// may run, so that no caller may hold a reference to the module's globals; what the call before the last said is dropped.
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

/// How much is read of a question's attributes.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Depth {
    /// What the answer depends on.
    Answer,
    /// What the variant is drawn by, too.
    Variant,
    /// Everything that an explanation looks at, too.
    Explanation,
}

/// An answer with its flag, as every function but the quickest needs it. The flag is one of the view that is pinned: to
/// ask more about it, take the pin as it is.
struct Found {
    answer: Answer,
    flag: Option<FlagId>,
    told: Option<overrides::Answer>,
    on: bool,
}

/// The answer to a question that counts; `exposes`: it chooses what the request does.
fn asked(
    globals: &mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    depth: Depth,
    exposes: bool,
) -> Found {
    let found = answer(globals, question, attributes, depth);
    if found.told.is_none() && !attributes.unsettled() {
        let Globals { telemetry, .. } = globals;
        match (found.flag, globals.view.as_deref().and_then(|view| view.snapshot.as_deref())) {
            (Some(flag), Some(snapshot)) => {
                let asked =
                    Asked { flag, on: found.on, reason: found.answer.reason, company: question.company };
                telemetry.answered(snapshot, &asked, exposes);
            }
            _ => telemetry.unknown(),
        }
    }
    found
}

/// The answer as far as the attributes are settled.
fn answer(
    globals: &mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    depth: Depth,
) -> Found {
    let told = globals.overrides.as_ref().and_then(|told| told.answer(question.flag, question.company));
    let now = globals.instant();
    let (mut answer, flag) = soundly(globals, |globals| match globals.pin() {
        Some(Pin { snapshot, switches }) => match snapshot.find_hashed(question.hash, question.flag) {
            Some(flag) => {
                let asked = as_engine(question, attributes, now);
                let answer = engine::evaluate(snapshot, switches, flag, &asked);
                // So that all that is read later is settled with it.
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
        let globals = globals();
        if let Some(told) = globals.overrides.as_ref().and_then(|told| told.possible(question.flag)) {
            return told;
        }
        let now = globals.instant();
        soundly(globals, |globals| {
            globals.pin().is_some_and(|pin| {
                pin.snapshot
                    .find_hashed(question.hash, question.flag)
                    .is_some_and(|flag| engine::possible(pin.snapshot, pin.switches, flag, now))
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
            soundly(globals(), |globals| {
                let found = asked(globals, &question, attributes, Depth::Variant, true);
                variant_name(globals, &question, attributes, &found, !attributes.unsettled())
            })
        })
    });
    put(result, variant);
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

/// The variant that a test told for the question.
fn told_variant<'a>(globals: &'a Globals, question: &Question<'_>) -> Option<&'a [u8]> {
    globals.overrides.as_ref()?.variant(question.flag, question.company)
}

/// The variant that the question draws, and the snapshot that it is of; `exposes`: the request is counted for it.
fn drawn<'a>(
    globals: &'a mut Globals,
    question: &Question<'_>,
    attributes: &Attributes<'_>,
    found: &Found,
    exposes: bool,
) -> Option<(&'a Snapshot, VariantRef<'a>)> {
    let now = globals.instant();
    let flag = found.flag.filter(|_| found.on)?;
    let Globals { telemetry, view, .. } = globals;
    let snapshot = view.as_deref()?.snapshot.as_deref()?;
    let variant = engine::variant(snapshot, flag, &as_engine(question, attributes, now))?;
    if exposes && found.told.is_none() {
        telemetry.shows(snapshot, flag, variant.name);
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
            soundly(globals(), |globals| value(globals, &question, attributes))
        });
        value.unwrap_or_else(|| {
            if count(frame) < 4 {
                return values::null();
            }
            // SAFETY: there are four arguments.
            php::dereferenced(unsafe { argument(frame, 3) }).shallow_clone()
        })
    });
    put(result, value);
}

/// The value of the variant that the flag shows; none where there is none.
fn value(globals: &mut Globals, question: &Question<'_>, attributes: &Attributes<'_>) -> Option<Zval> {
    let found = asked(globals, question, attributes, Depth::Variant, true);
    let shown = match found.told {
        Some(told) if told.names_variant => {
            let name = told_variant(globals, question).unwrap_or_default();
            let flag = found.flag.filter(|_| found.on).zip(globals.pinned_as_it_is());
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
        settled(question.context, |attributes| {
            soundly(globals(), |globals| explain(globals, &question, attributes))
        })
    });
    put(result, explained);
}

fn explain(globals: &mut Globals, question: &Question<'_>, attributes: &Attributes<'_>) -> Zval {
    let found = answer(globals, question, attributes, Depth::Explanation);
    let variant = variant_name(globals, question, attributes, &found, false);
    let now = globals.instant();
    let (generation, told) = (globals.view().map_or(0, |view| view.generation), found.told.is_some());
    let pin = globals.pinned_as_it_is();
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

/// The attributes that could not be compared, each with its type and what it has to be.
fn unknown(
    pin: Pin<'_>,
    flag: FlagId,
    question: &Question<'_>,
    asked: &engine::Question<'_, Attributes<'_>>,
) -> Zval {
    let (mut list, mut named) = (ZendHashTable::new(), ZendHashTable::new());
    engine::unknown(pin.snapshot, pin.switches, flag, asked, |unknown| {
        let known = i64::from(named.len() as u32);
        values::put(&mut named, Key::Text(unknown.attribute.as_bytes()), values::null());
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
        values::put(&mut list, Key::Int(known), values::array(entry));
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
        settled(question.context, |attributes| {
            soundly(globals(), |globals| all(globals, &question, attributes))
        })
    });
    put(result, all);
}

/// Every flag's answer as far as the attributes are settled.
fn all(globals: &mut Globals, question: &Question<'_>, attributes: &Attributes<'_>) -> Zval {
    let now = globals.instant();
    let mut table = ZendHashTable::new();
    globals.pin();
    let overrides = globals.overrides.as_deref();
    if let Some(pin) = globals.pinned_as_it_is() {
        for flag in pin.snapshot.flag_ids() {
            let name = pin.snapshot.flag_key(flag).as_bytes();
            let told = overrides.and_then(|told| told.answer(name, question.company)).map(|told| told.on);
            let on = told.unwrap_or_else(|| {
                engine::enabled(pin.snapshot, pin.switches, flag, &as_engine(question, attributes, now))
            });
            put_flag(&mut table, name, on);
            if attributes.unsettled() {
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
    values::put(table, Key::from_bytes(name).unwrap_or(Key::Text(name)), values::boolean(on));
}

/// `feature_filter(string $flag, array $companies, array $context = []): array`
pub(crate) extern "C" fn feature_filter(frame: &mut ExecuteData, result: &mut Zval) {
    let filtered = guarded(values::null(), || {
        let Some((question, companies)) = call::parse_filter(frame) else { return values::null() };
        settled(question.context, |attributes| filter(&question, companies, attributes))
    });
    put(result, filtered);
}

/// The companies for which the flag is on, as far as the attributes are settled; null where PHP has thrown.
fn filter(question: &Question<'_>, companies: &ZendHashTable, attributes: &Attributes<'_>) -> Zval {
    let mut table = ZendHashTable::new();
    for (key, value) in values::entries(companies) {
        let value = php::dereferenced(value);
        // PHP may convert what it is given in place, and the array is the caller's.
        let mut given = value.shallow_clone();
        // SAFETY: a value of this function's own, which lives as long as the company is used.
        let company = unsafe { call::company(&raw mut given, 2) };
        let Some(company) = company else { return values::null() };
        let question = Question { company, ..*question };
        let on = answer(globals(), &question, attributes, Depth::Answer).on;
        if attributes.unsettled() {
            break;
        }
        if on {
            values::put(&mut table, values::entry_key(&key), value.shallow_clone());
        }
    }
    values::array(table)
}

/// `feature_needs(string $flag): array`
pub(crate) extern "C" fn feature_needs(frame: &mut ExecuteData, result: &mut Zval) {
    let needs = guarded(values::null(), || {
        let Some(question) = parse(frame, &FLAG) else { return values::null() };
        soundly(globals(), |globals| {
            let pin = globals.pin();
            let flag =
                pin.and_then(|pin| Some((pin, pin.snapshot.find_hashed(question.hash, question.flag)?)));
            match flag {
                Some((pin, flag)) => values::strings(pin.snapshot.needs(flag)),
                None => values::strings(std::iter::empty()),
            }
        })
    });
    put(result, needs);
}

/// `flagstone_status(): array`
pub(crate) extern "C" fn flagstone_status(frame: &mut ExecuteData, result: &mut Zval) {
    let status = guarded(values::null(), || match call::parse_none(frame) {
        Some(()) => status::array(globals()),
        None => values::null(),
    });
    put(result, status);
}

/// `flagstone_refresh(): bool`
pub(crate) extern "C" fn flagstone_refresh(frame: &mut ExecuteData, result: &mut Zval) {
    let moved = guarded(false, || match call::parse_none(frame) {
        Some(()) => pin::refresh(globals()),
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
        let begun = telemetry::mark_begin(globals(), call::place_of(frame));
        if begun.outermost {
            pin::refresh(globals());
        }
        begun.token.cast_signed()
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
        telemetry::mark_end(globals(), status, token.map(i64::cast_unsigned));
    });
    result.set_null();
}

/// `flagstone_gated(string $flag): void`
pub(crate) extern "C" fn flagstone_gated(frame: &mut ExecuteData, result: &mut Zval) {
    guarded((), || {
        let Some(question) = parse(frame, &FLAG) else { return };
        let globals = globals();
        globals.pin();
        let Some(snapshot) = globals.view.as_deref().and_then(|view| view.snapshot.as_deref()) else {
            return;
        };
        if let Some(flag) = snapshot.find_hashed(question.hash, question.flag) {
            globals.telemetry.gated(snapshot, flag);
        }
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
        let globals = globals();
        // Opens the memory where this is the first that the process does.
        globals.pin();
        globals.telemetry.track(event, value);
    });
    result.set_null();
}

/// `flagstone_use(string $store): bool`
pub(crate) extern "C" fn flagstone_use(frame: &mut ExecuteData, result: &mut Zval) {
    let used = guarded(false, || {
        let Some(question) = parse(frame, &FLAG) else { return false };
        let globals = globals();
        if globals.named.as_deref() == Some(question.flag) {
            return globals.error.is_none();
        }
        match stores::may_be_named(question.flag, &globals.settings.store) {
            Ok(path) => {
                pin::name_store(globals, path);
                globals.pin();
                globals.error.is_none()
            }
            Err(why) => {
                globals.refused = Some(why);
                false
            }
        }
    });
    result.set_bool(used);
}

/// `flagstone_override(?array $answers, ?bool $otherwise = null): void`
pub(crate) extern "C" fn flagstone_override(frame: &mut ExecuteData, result: &mut Zval) {
    guarded((), || {
        let Some((answers, otherwise)) = call::parse_override(frame) else { return };
        if !globals().settings.override_allowed() {
            php::throw(c"flagstone_override() is refused: flagstone.allow_override is off in this process");
            return;
        }
        let globals = globals();
        globals.telemetry.overridden();
        if answers.is_none() && otherwise.is_none() {
            globals.overrides = None;
        } else {
            match Overrides::new(answers, otherwise) {
                Ok(overrides) => globals.overrides = Some(Box::new(overrides)),
                Err(found) => {
                    let text = Text::new(format_args!(
                        "must be an array of bool, string (a variant) or array of those by company, {found}"
                    ));
                    drop(found);
                    return php::throw_argument(1, &text);
                }
            }
        }
        pin::reconsider(globals);
    });
    result.set_null();
}

/// Returns an empty answer: what a call costs before anything is done in it.
#[cfg(feature = "test-hooks")]
pub(crate) extern "C" fn flagstone_test_empty(_: &mut ExecuteData, result: &mut Zval) {
    result.u1.type_info = IS_FALSE;
}

/// Panics as a defect would.
#[cfg(feature = "test-hooks")]
pub(crate) extern "C" fn flagstone_test_panic(_: &mut ExecuteData, result: &mut Zval) {
    result.set_bool(guarded(false, || panic!("a panic for a test")));
}

/// Hands `value` to PHP. The result is not yet a value, so nothing of it is dropped.
fn put(result: &mut Zval, value: Zval) {
    // SAFETY: PHP gives a place for a value; overwriting it without a drop is what a return is.
    unsafe { std::ptr::write(result, value) };
}
