//! Decodes flags.

use super::{Decoder, Link};
use crate::definition::check::{self, Places};
use crate::definition::clip::clip;
use crate::definition::json::{Id, Kind};
use crate::definition::merge::View;
use crate::definition::plan_check;
use crate::definition::{
    Bucketing, Companies, CompanyId, Emergency, FieldSet, Flag, GuardRule, Managed, Percentage, Rollout,
    Rule, ScheduleStep, Variant, company, limits, meaning,
};
use crate::snapshot::is_flag_key;
use crate::time;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

impl<'m> Decoder<'m> {
    pub(super) fn flag(&mut self, at: Id, key: &Rc<str>, view: View<'m>) -> Option<Flag> {
        const NAMES: [&str; 15] = [
            "description",
            "owner",
            "enabled",
            "rollout",
            "companies",
            "requires",
            "rules",
            "schedule",
            "variants",
            "emergency",
            "expires",
            "plan",
            "guard",
            "managed",
            "was",
        ];
        if let Kind::True | Kind::False = view.kind(self.tree) {
            let mut flag = Flag::new(view.kind(self.tree) == Kind::True);
            flag.guard = GuardRule::resolved(None, self.guard.as_ref());
            flag.written = FieldSet::NONE;
            flag.written.add(FieldSet::ENABLED, true);
            flag.written.add(FieldSet::PERCENTAGE, flag.enabled);
            flag.written.add(FieldSet::GUARD, flag.guard.is_some());
            return Some(flag);
        }
        let errors_before = self.findings.errors();
        let [
            description,
            owner,
            enabled,
            rollout,
            companies,
            requires,
            rules,
            schedule,
            variants,
            emergency,
            expires,
            plan,
            guard,
            managed,
            was,
        ] = self.fields_beside(view, NAMES, Some("state"), "a flag: true, false or an object")?;
        self.no_state(key, view);
        let mut flag = Flag::new(true);
        flag.description = description.and_then(|text| Some(self.string(text, "a string")?.into_owned()));
        flag.owner = owner.and_then(|text| Some(self.string(text, "a string")?.into_owned()));
        if let Some(enabled) = enabled {
            flag.enabled = self.boolean(enabled).unwrap_or(true);
        }
        let mut written = FieldSet::NONE;
        flag.rollout = rollout.and_then(|rollout| self.rollout(rollout, &mut written));
        let companies = companies.map(|companies| self.companies(companies, &mut written));
        let (listed, deny) = companies.unwrap_or_default();
        flag.companies = listed;
        flag.requires = requires.map_or_else(Vec::new, |requires| self.requires(key, requires));
        flag.rules = rules.map_or_else(Vec::new, |rules| self.rules(rules));
        flag.schedule = schedule.map_or_else(Vec::new, |schedule| self.schedule(schedule));
        flag.variants = variants.map_or_else(BTreeMap::new, |variants| self.variants(variants));
        flag.emergency = emergency.and_then(|emergency| self.emergency(emergency)).unwrap_or_default();
        flag.expires = expires.and_then(|expires| self.expires(expires));
        flag.plan = plan.and_then(|plan| self.plan(plan));
        let guard = guard.and_then(|guard| self.guard(guard));
        flag.guard = GuardRule::resolved(guard, self.guard.as_ref());
        flag.managed = managed.and_then(|managed| self.managed(managed)).unwrap_or_default();
        flag.was = was.and_then(|was| self.was(key, was));
        for (field, is_written) in [
            (FieldSet::ENABLED, enabled.is_some()),
            (FieldSet::PERCENTAGE, schedule.is_some()),
            (FieldSet::EMERGENCY, emergency.is_some()),
            (FieldSet::REQUIRES, requires.is_some()),
            (FieldSet::RULES, rules.is_some()),
            (FieldSet::VARIANTS, variants.is_some()),
            (FieldSet::PLAN, plan.is_some()),
            (FieldSet::GUARD, flag.guard.is_some()),
            (FieldSet::MANAGED, managed.is_some()),
            (FieldSet::EXPIRES, expires.is_some()),
            (FieldSet::DESCRIPTION, description.is_some()),
            (FieldSet::OWNER, owner.is_some()),
            (FieldSet::WAS, was.is_some()),
        ] {
            written.add(field, is_written);
        }
        flag.written = written;
        // A flag with unreadable parts would be blamed for their absence.
        if self.findings.errors() > errors_before {
            return None;
        }
        let places = Places { key: at, flag: view.place(), deny, variants, expires };
        check::flag(self.tree, &mut self.findings, self.today, key, &flag, &places);
        plan_check::check(&mut self.findings, key, &flag, plan);
        Some(flag)
    }

    /// Rejects state that only a store may keep with a flag.
    fn no_state(&mut self, key: &str, view: View<'m>) {
        let tree = self.tree;
        let Some((at, _)) = view.members(tree).find(|(name, _)| tree.string(*name) == "state") else {
            return;
        };
        let message = format!("found \"state\" in {key}, which only a store keeps");
        let advice = "leave it out; `flagstone pull FILE` brings what runs into the file".to_owned();
        self.findings.error_with(at, message, advice);
    }

    fn rollout(&mut self, view: View<'m>, written: &mut FieldSet) -> Option<Rollout> {
        const NAMES: [&str; 4] = ["percentage", "by", "salt", "bucketing"];
        let [percentage, by, salt, bucketing] = self.fields(view, NAMES, "an object with \"percentage\"")?;
        if percentage.is_none() {
            self.missing(view, "percentage", "a number from 0 to 100 with up to three decimals");
        }
        for (field, is_written) in [
            (FieldSet::PERCENTAGE, percentage.is_some()),
            (FieldSet::BY, by.is_some()),
            (FieldSet::SALT, salt.is_some()),
            (FieldSet::BUCKETING, bucketing.is_some()),
        ] {
            written.add(field, is_written);
        }
        let percentage = percentage.and_then(|percentage| self.percentage(percentage));
        let by = by.map_or_else(|| Some("company".to_owned()), |by| self.by(by));
        let salt = salt.map(|salt| self.name(salt, "salt"));
        let bucketing = bucketing.map_or(Some(Bucketing::Xxh3), |bucketing| {
            const CHOICES: [(&str, Bucketing); 2] = [("xxh3", Bucketing::Xxh3), ("crc32", Bucketing::Crc32)];
            self.choice(bucketing, CHOICES)
        });
        let salt = match salt {
            Some(salt) => Some(salt?),
            None => None,
        };
        Some(Rollout { percentage: percentage?, by: by?, salt, bucketing: bucketing? })
    }

    fn by(&mut self, view: View<'m>) -> Option<String> {
        let by = self.attribute(view)?;
        if by == "now" {
            self.mismatch(view, "\"company\" or a context attribute");
            return None;
        }
        Some(by)
    }

    fn companies(&mut self, view: View<'m>, written: &mut FieldSet) -> (Companies, Option<View<'m>>) {
        let Some([allow, deny]) =
            self.fields(view, ["allow", "deny"], "an object with \"allow\" or \"deny\"")
        else {
            return Default::default();
        };
        written.add(FieldSet::ALLOW, allow.is_some());
        written.add(FieldSet::DENY, deny.is_some());
        let mut listed = |list: Option<View<'m>>| list.map_or_else(Vec::new, |list| self.company_list(list));
        (Companies { allow: listed(allow), deny: listed(deny) }, deny)
    }

    /// Sorted, without duplicates. Ints and strings are kept apart, since a million sort much faster as their own type.
    pub(super) fn company_list(&mut self, view: View<'m>) -> Vec<CompanyId> {
        let Some(items) = self.items(view, "a list of companies' ids") else { return Vec::new() };
        let (mut ints, mut texts): (Vec<i64>, Vec<Cow<str>>) = Default::default();
        for item in items {
            match self.company(item) {
                Some(Company::Int(id)) => ints.push(id),
                Some(Company::Text(id)) => {
                    self.warn_of_company(item, &id);
                    texts.push(id);
                }
                None => self.mismatch(item, "a company's id: an integer, or a string of 1 to 1024 bytes"),
            }
        }
        sort(&mut ints);
        sort(&mut texts);
        let texts = texts.into_iter().map(|id| CompanyId::Text(id.into_owned()));
        ints.into_iter().map(CompanyId::Int).chain(texts).collect()
    }

    /// Warns of a text that is hardly one company's id.
    fn warn_of_company(&mut self, view: View<'m>, id: &str) {
        if let Some(meant) = meaning(id) {
            let meant = meant.explain(|id| clip(id).into_owned());
            self.findings.warning(view.place(), format!("found {:?}, {meant}", clip(id)), None);
        }
    }

    fn company(&self, view: View<'m>) -> Option<Company<'m>> {
        match view.kind(self.tree) {
            Kind::Int => self.int(view).map(Company::Int),
            Kind::Plain | Kind::Escaped => {
                let text = self.tree.string(view.place());
                let sound = (1..=CompanyId::MAX_BYTES).contains(&text.len());
                sound.then(|| company::canonical_int(&text).map_or(Company::Text(text), Company::Int))
            }
            _ => None,
        }
    }

    fn requires(&mut self, key: &Rc<str>, view: View<'m>) -> Vec<String> {
        let Some(items) = self.items(view, "a list of flag keys") else { return Vec::new() };
        let mut required: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        for item in items {
            let Some(name) = self.string(item, "a flag's key, a string") else { continue };
            if seen.insert(name.clone()) {
                let to = name.into_owned();
                self.links.requires.push(Link { from: Rc::clone(key), to: to.clone(), at: item.place() });
                required.push(to);
            }
        }
        required
    }

    fn rules(&mut self, view: View<'m>) -> Vec<Rule> {
        let Some(items) = self.items(view, "a list of rules") else { return Vec::new() };
        let count = self.tree.node(view.place()).size as usize;
        if count > limits::RULES {
            self.findings
                .error(view.place(), format!("found {count} rules, expected at most {}", limits::RULES));
        }
        items.filter_map(|item| self.rule(item)).collect()
    }

    fn rule(&mut self, view: View<'m>) -> Option<Rule> {
        let [name, when, percentage] =
            self.fields(view, ["name", "when", "percentage"], "a rule, an object with \"when\"")?;
        let name = name.and_then(|name| self.name(name, "rule name"));
        if when.is_none() {
            self.missing(view, "when", "the condition on which the rule decides");
        }
        let percentage = percentage.and_then(|percentage| self.percentage(percentage));
        Some(Rule { name, when: self.condition(when?)?, percentage })
    }

    /// Sorted by time; no two at one instant.
    fn schedule(&mut self, view: View<'m>) -> Vec<ScheduleStep> {
        let Some(items) = self.items(view, "a list of steps") else { return Vec::new() };
        let mut steps: Vec<(i64, Id, ScheduleStep)> = items.filter_map(|item| self.step(item)).collect();
        steps.sort_by_key(|&(instant, at, _)| (instant, at));
        let mut earlier: Option<(i64, &str)> = None;
        for (instant, at, step) in &steps {
            match earlier {
                Some((same, written)) if same == *instant => {
                    let message =
                        format!("found a second step at one instant, \"{}\" and \"{written}\"", step.at);
                    self.findings.error(*at, message);
                }
                _ => earlier = Some((*instant, &step.at)),
            }
        }
        steps.into_iter().map(|(_, _, step)| step).collect()
    }

    fn step(&mut self, view: View<'m>) -> Option<(i64, Id, ScheduleStep)> {
        const EXPECTED: &str = "a step, an object with \"at\" and \"percentage\"";
        let [at, percentage] = self.fields(view, ["at", "percentage"], EXPECTED)?;
        for (name, field) in [("at", at), ("percentage", percentage)] {
            if field.is_none() {
                self.missing(view, name, EXPECTED);
            }
        }
        let time = at.and_then(|at| self.time(at));
        let percentage = percentage.and_then(|percentage| self.percentage(percentage))?;
        let text = time?;
        let instant = time::parse_rfc3339(text.as_bytes())?;
        Some((instant, at.map_or(0, View::place), ScheduleStep { at: text, percentage }))
    }

    fn variants(&mut self, view: View<'m>) -> BTreeMap<String, Variant> {
        let mut variants = BTreeMap::new();
        for (at, name, view) in self.entries(view, "an object of variants by name") {
            self.check_name(at, &name, "variant name");
            let Some([weight, value]) =
                self.fields(view, ["weight", "value"], "a variant, an object with \"weight\"")
            else {
                continue;
            };
            if weight.is_none() {
                self.missing(view, "weight", "a number from 0 to 100 with up to three decimals");
            }
            let weight = weight.and_then(|weight| self.percentage(weight)).unwrap_or(Percentage::NONE);
            let value = value.map(|value| self.value(value));
            variants.insert(name.into_owned(), Variant { weight, value });
        }
        variants
    }

    fn emergency(&mut self, view: View<'m>) -> Option<Emergency> {
        self.choice(view, [("off", Emergency::Off), ("keep", Emergency::Keep)])
    }

    fn managed(&mut self, view: View<'m>) -> Option<Managed> {
        self.choice(view, [("operations", Managed::Operations), ("git", Managed::Git)])
    }

    fn was(&mut self, key: &Rc<str>, view: View<'m>) -> Option<String> {
        const EXPECTED: &str = "the key that the flag had, a string";
        let was = self.string(view, EXPECTED)?.into_owned();
        if !is_flag_key(was.as_bytes()) {
            self.mismatch(view, EXPECTED);
            return None;
        }
        self.links.was.push(Link { from: Rc::clone(key), to: was.clone(), at: view.place() });
        Some(was)
    }

    fn expires(&mut self, view: View<'m>) -> Option<String> {
        const EXPECTED: &str = "a day as YYYY-MM-DD";
        let day = self.string(view, EXPECTED)?;
        if time::parse_day(day.as_bytes()).is_none() {
            self.mismatch(view, EXPECTED);
            return None;
        }
        Some(day.into_owned())
    }

    /// Reads one of a few words.
    pub(super) fn choice<T: Copy, const N: usize>(
        &mut self,
        view: View<'m>,
        choices: [(&'static str, T); N],
    ) -> Option<T> {
        let expected = choices.map(|(word, _)| format!("\"{word}\"")).join(" or ");
        let word = self.string(view, &expected)?;
        let choice = choices.iter().find(|(known, _)| *known == word).map(|(_, choice)| *choice);
        if choice.is_none() {
            let hint = self.findings.suggestion(&word, choices.iter().map(|(known, _)| *known));
            self.mismatch_with(view, &expected, hint);
        }
        choice
    }
}

/// A company's id, borrowed from the text.
enum Company<'t> {
    Int(i64),
    Text(Cow<'t, str>),
}

fn sort<T: Ord>(list: &mut Vec<T>) {
    if !list.is_sorted() {
        list.sort_unstable();
    }
    list.dedup();
}
