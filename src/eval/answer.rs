//! Evaluates a flag, step by step in the order of decision.

use super::bucket::{bucket, crc32_bucket};
use super::condition::{self, holds, read};
use super::question::Question;
use super::quick::{FULL, decide_quickly};
use super::{Attribute, Context, Switches};
use crate::key::Key;
use crate::snapshot::format::{
    ATTRIBUTE_COMPANY, BIT_CRC32, BIT_ENABLED, BIT_KEEP, FlagRecord, RuleRecord, VariantRecord,
};
use crate::snapshot::{FlagId, Snapshot, ValueRef, VariantRef, key_hash};

/// The reason for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No snapshot was ever loaded.
    NoSnapshot,
    /// The snapshot has no flag of that key.
    UnknownFlag,
    /// The flag is killed in the head.
    Killed,
    /// Everything is stopped and the flag has no `"emergency": "keep"`.
    EmergencyStop,
    /// The flag is not enabled.
    Disabled,
    /// A required flag is off.
    Prerequisite,
    /// The company is on the deny list.
    Denied,
    /// The company is on the allow list.
    Allowed,
    /// A rule's condition holds.
    Rule,
    /// The bucket needs a company, and the question has none.
    NoCompany,
    /// The bucket needs an attribute that is missing.
    NoKey,
    /// The percentage is 100.
    Full,
    /// The bucket is below the percentage.
    RolloutIn,
    /// The bucket is not below the percentage.
    RolloutOut,
    /// The process overrides the answer, for a test.
    Override,
}

impl Reason {
    /// Every reason, in the order of decision.
    pub const ALL: [Reason; 15] = [
        Reason::NoSnapshot,
        Reason::UnknownFlag,
        Reason::Killed,
        Reason::EmergencyStop,
        Reason::Disabled,
        Reason::Prerequisite,
        Reason::Denied,
        Reason::Allowed,
        Reason::Rule,
        Reason::NoCompany,
        Reason::NoKey,
        Reason::Full,
        Reason::RolloutIn,
        Reason::RolloutOut,
        Reason::Override,
    ];

    /// The name in PHP and in commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NoSnapshot => "no_snapshot",
            Reason::UnknownFlag => "unknown_flag",
            Reason::Killed => "killed",
            Reason::EmergencyStop => "emergency_stop",
            Reason::Disabled => "disabled",
            Reason::Prerequisite => "prerequisite",
            Reason::Denied => "denied",
            Reason::Allowed => "allowed",
            Reason::Rule => "rule",
            Reason::NoCompany => "no_company",
            Reason::NoKey => "no_key",
            Reason::Full => "full",
            Reason::RolloutIn => "rollout_in",
            Reason::RolloutOut => "rollout_out",
            Reason::Override => "override",
        }
    }
}

/// An answer and its explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// True if the flag is on.
    pub on: bool,
    /// The deciding step.
    pub reason: Reason,
    /// The rule that decided, by its index in the flag.
    pub rule: Option<u32>,
    /// The bucket that decided, 0 to 99,999.
    pub bucket: Option<u32>,
    /// The percentage that decided, in thousandths: 0 to 100,000.
    pub percentage: Option<u32>,
    /// The required flag that is off: the first in an order in which a flag comes after those that it requires.
    pub blocker: Option<FlagId>,
}

impl Answer {
    /// An answer "off" without further details.
    pub const fn off(reason: Reason) -> Answer {
        Answer { on: false, reason, rule: None, bucket: None, percentage: None, blocker: None }
    }
}

/// Answers a question about one flag, with all details that `explain` shows.
pub fn evaluate<C: Context + ?Sized>(
    snapshot: &Snapshot,
    switches: &Switches,
    flag: FlagId,
    question: &Question<'_, C>,
) -> Answer {
    let Some(record) = snapshot.flag(flag) else { return Answer::off(Reason::UnknownFlag) };
    if let Some(reason) = switched_off(switches, flag, record) {
        return Answer::off(reason);
    }
    for link in requires(snapshot, record) {
        let required = FlagId(link);
        let on = snapshot.flag(required).is_some_and(|record| {
            switched_off(switches, required, record).is_none() && decide(snapshot, record, question).on
        });
        if !on {
            return Answer { blocker: Some(required), ..Answer::off(Reason::Prerequisite) };
        }
    }
    decide(snapshot, record, question)
}

/// True if the flag is on. Agrees with [`evaluate`], by the shortest path.
#[inline]
pub fn enabled<C: Context + ?Sized>(
    snapshot: &Snapshot,
    switches: &Switches,
    flag: FlagId,
    question: &Question<'_, C>,
) -> bool {
    let Some(record) = snapshot.flag(flag) else { return false };
    let switched = switches.stopped() || switches.killed(flag);
    let quick = if switched { None } else { decide_quickly(snapshot, record, question.company) };
    quick.map_or_else(|| evaluate(snapshot, switches, flag, question).on, |answer| answer & 1 == 1)
}

/// Steps 3 to 5: switches that turn a flag off for every question.
pub(super) fn switched_off(switches: &Switches, flag: FlagId, record: &FlagRecord) -> Option<Reason> {
    if switches.killed(flag) {
        Some(Reason::Killed)
    } else if switches.stopped() && record.bits & BIT_KEEP == 0 {
        Some(Reason::EmergencyStop)
    } else if record.bits & BIT_ENABLED == 0 {
        Some(Reason::Disabled)
    } else {
        None
    }
}

/// Every flag that must be on, each after those that it requires.
pub(super) fn requires<'a>(
    snapshot: &'a Snapshot,
    record: &FlagRecord,
) -> impl Iterator<Item = u32> + use<'a> {
    let (first, count) = (record.requires.get() as usize, record.requires_count.get() as usize);
    snapshot.links.slice(first, count).unwrap_or(&[]).iter().map(|link| link.get())
}

pub(super) fn rules<'a>(snapshot: &'a Snapshot, record: &FlagRecord) -> &'a [RuleRecord] {
    snapshot.rules.slice(record.rules.get() as usize, record.rules_count.get() as usize).unwrap_or(&[])
}

/// Steps 7 to 12.
fn decide<C: Context + ?Sized>(
    snapshot: &Snapshot,
    record: &FlagRecord,
    question: &Question<'_, C>,
) -> Answer {
    if let Some(company) = question.company {
        if snapshot.lists_key(record.deny.get(), company) {
            return Answer::off(Reason::Denied);
        }
        if snapshot.lists_key(record.allow.get(), company) {
            return Answer { on: true, ..Answer::off(Reason::Allowed) };
        }
    }
    for (number, rule) in rules(snapshot, record).iter().enumerate() {
        if holds(snapshot, rule, question) {
            let answer = share(snapshot, record, rule.threshold.get(), question);
            let reason = match answer.reason {
                missing @ (Reason::NoCompany | Reason::NoKey) => missing,
                _ => Reason::Rule,
            };
            return Answer { reason, rule: Some(number as u32), ..answer };
        }
    }
    share(snapshot, record, threshold(snapshot, record, question.now), question)
}

/// Steps 10 to 12: by percentage.
fn share<C: Context + ?Sized>(
    snapshot: &Snapshot,
    record: &FlagRecord,
    threshold: u32,
    question: &Question<'_, C>,
) -> Answer {
    let answer = Answer { percentage: Some(threshold), ..Answer::off(Reason::Full) };
    if threshold >= FULL {
        return Answer { on: true, ..answer };
    }
    let Some(key) = rollout_key(snapshot, record, question) else {
        let by_company = record.by.get() == ATTRIBUTE_COMPANY;
        return Answer { reason: if by_company { Reason::NoCompany } else { Reason::NoKey }, ..answer };
    };
    let bucket =
        if record.bits & BIT_CRC32 != 0 { crc32_bucket(key) } else { bucket(key, record.seed.get()) };
    let on = bucket < threshold;
    let reason = if on { Reason::RolloutIn } else { Reason::RolloutOut };
    Answer { on, reason, bucket: Some(bucket), ..answer }
}

/// The key that the rollout hashes: the company, or the attribute that `by` names.
fn rollout_key<'a, C: Context + ?Sized>(
    snapshot: &'a Snapshot,
    record: &FlagRecord,
    question: &'a Question<'_, C>,
) -> Option<Key<'a>> {
    if record.by.get() == ATTRIBUTE_COMPANY {
        return question.company;
    }
    match read(snapshot, record.by.get(), question) {
        Attribute::Int(int) => Some(Key::Int(int)),
        Attribute::Text(text) => Key::from_bytes(text),
        _ => None,
    }
}

/// The rollout's threshold at that instant: that of the last step that has come, else the rollout's own.
pub(super) fn threshold(snapshot: &Snapshot, record: &FlagRecord, now: i64) -> u32 {
    let (first, count) = (record.steps.get() as usize, record.steps_count.get() as usize);
    let steps = snapshot.steps.slice(first, count).unwrap_or(&[]);
    let come = steps.partition_point(|step| step.at.get() <= now);
    match come.checked_sub(1).and_then(|last| steps.get(last)) {
        Some(step) => step.threshold.get(),
        None => record.threshold.get(),
    }
}

/// The variant of a flag that is on for the question; `None` if it has no variants, or no key to draw by.
pub fn variant<'a, C: Context + ?Sized>(
    snapshot: &'a Snapshot,
    flag: FlagId,
    question: &Question<'_, C>,
) -> Option<VariantRef<'a>> {
    let record = snapshot.flag(flag)?;
    let variants = variants(snapshot, record);
    if variants.is_empty() {
        return None;
    }
    let bucket = bucket(rollout_key(snapshot, record, question)?, record.variant_seed.get());
    let drawn = variants.get(variants.partition_point(|variant| variant.upper.get() <= bucket))?;
    Some(variant_ref(snapshot, drawn))
}

/// Finds the flag's variant by name.
pub fn variant_named<'a>(snapshot: &'a Snapshot, flag: FlagId, name: &[u8]) -> Option<VariantRef<'a>> {
    let record = snapshot.flag(flag)?;
    let found = variants(snapshot, record)
        .iter()
        .find(|variant| snapshot.string(variant.name_offset.get(), variant.name_length.get()) == name)?;
    Some(variant_ref(snapshot, found))
}

fn variants<'a>(snapshot: &'a Snapshot, record: &FlagRecord) -> &'a [VariantRecord] {
    snapshot
        .variants
        .slice(record.variants.get() as usize, record.variants_count.get() as usize)
        .unwrap_or(&[])
}

fn variant_ref<'a>(snapshot: &'a Snapshot, variant: &VariantRecord) -> VariantRef<'a> {
    VariantRef {
        name: snapshot.text(variant.name_offset.get(), variant.name_length.get()),
        value: (variant.has_value.get() != 0).then(|| ValueRef::root(variant.value.get())),
    }
}

/// An attribute of the question that could not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unknown<'a> {
    /// The attribute's name; `company` for the question's company.
    pub attribute: &'a str,
    /// The kind of value needed: "a number".
    pub expected: &'static str,
}

/// Calls `found` with the attributes that made conditions unknown, or that the rollout's `by` could not hash, on the way to the answer
/// of [`evaluate`]: attributes that are present, not missing ones. An attribute may come several times.
pub fn unknown<'a, C: Context + ?Sized>(
    snapshot: &'a Snapshot,
    switches: &Switches,
    flag: FlagId,
    question: &Question<'_, C>,
    mut found: impl FnMut(Unknown<'a>),
) {
    let Some(record) = snapshot.flag(flag).filter(|record| switched_off(switches, flag, record).is_none())
    else {
        return;
    };
    for link in requires(snapshot, record) {
        let required = FlagId(link);
        let Some(record) = snapshot.flag(required) else { return };
        if switched_off(switches, required, record).is_some() {
            return;
        }
        unknown_of(snapshot, record, question, &mut found);
        if !decide(snapshot, record, question).on {
            return;
        }
    }
    unknown_of(snapshot, record, question, &mut found);
}

/// Calls `found` with the attributes that one flag's own steps could not compare.
fn unknown_of<'a, C: Context + ?Sized>(
    snapshot: &'a Snapshot,
    record: &FlagRecord,
    question: &Question<'_, C>,
    found: &mut impl FnMut(Unknown<'a>),
) {
    let listed = |company| {
        snapshot.lists_key(record.deny.get(), company) || snapshot.lists_key(record.allow.get(), company)
    };
    if question.company.is_some_and(listed) {
        return;
    }
    let mut threshold = threshold(snapshot, record, question.now);
    for rule in rules(snapshot, record) {
        let holds = condition::unknown(snapshot, rule, question, |test| {
            found(Unknown {
                attribute: match test.attribute.get() {
                    ATTRIBUTE_COMPANY => "company",
                    number => snapshot.attribute_name(number),
                },
                expected: condition::expected(test),
            });
        });
        if holds {
            threshold = rule.threshold.get();
            break;
        }
    }
    let hashes = threshold < FULL || record.variants_count.get() != 0;
    if hashes && record.by.get() != ATTRIBUTE_COMPANY {
        let value = read(snapshot, record.by.get(), question);
        if matches!(value, Attribute::Incomparable | Attribute::Bool(_) | Attribute::Float(_)) {
            found(Unknown {
                attribute: snapshot.attribute_name(record.by.get()),
                expected: "an int or a string",
            });
        }
    }
}

/// The attributes that the flag and its requirements can read and the question lacks; sorted.
pub fn missing<'a, C: Context + ?Sized>(
    snapshot: &'a Snapshot,
    flag: FlagId,
    context: &C,
) -> impl Iterator<Item = &'a str> {
    snapshot.needs(flag).filter(move |name| {
        context.attribute(name.as_bytes(), key_hash(name.as_bytes())) == Attribute::Missing
    })
}

/// The name of the flag's rule at that index, if it has one.
pub fn rule_name(snapshot: &Snapshot, flag: FlagId, rule: u32) -> Option<&str> {
    let rule = rules(snapshot, snapshot.flag(flag)?).get(rule as usize)?;
    (rule.name_length.get() != 0).then(|| snapshot.text(rule.name_offset.get(), rule.name_length.get()))
}
