//! Answers that a test set for this process.

use crate::{php, values};
use engine::Key;
use ext_php_rs::types::{ZendHashTable, Zval};
use std::collections::HashMap;

/// Answers by flag, and the one for all other flags; `None` leaves those as they would be.
#[derive(Default)]
pub(crate) struct Overrides {
    flags: HashMap<Vec<u8>, Override>,
    otherwise: Option<bool>,
}

enum Override {
    Same(Choice),
    /// Answers by company; a company that is not named has none.
    ByCompany(HashMap<Company, Choice>),
}

#[derive(PartialEq, Eq, Hash)]
enum Company {
    Int(i64),
    Text(Vec<u8>),
}

/// On or off, and the variant that goes with on.
struct Choice {
    on: bool,
    variant: Option<Vec<u8>>,
}

/// Answer that was set for a question. It is held across calls into PHP, and so owns nothing: callers look up the variant's
/// name when they need it.
#[derive(Clone, Copy)]
pub(crate) struct OverriddenAnswer {
    pub(crate) on: bool,
    pub(crate) names_variant: bool,
}

impl Overrides {
    /// Reads the arguments of `flagstone_override`.
    ///
    /// # Errors
    ///
    /// The mistake in an answer, as text that follows "must be an array of answers, ".
    pub(crate) fn new(answers: Option<&ZendHashTable>, otherwise: Option<bool>) -> Result<Overrides, String> {
        let mut flags = HashMap::new();
        for (key, value) in answers.into_iter().flat_map(values::entries) {
            let flag = key_bytes(&key);
            let told = parse_override(php::dereferenced(value))
                .map_err(|found| format!("{found} given for \"{}\"", String::from_utf8_lossy(&flag)))?;
            flags.insert(flag, told);
        }
        Ok(Overrides { flags, otherwise })
    }

    /// Answer that was set for that flag and company.
    pub(crate) fn answer(&self, flag: &[u8], company: Option<Key<'_>>) -> Option<OverriddenAnswer> {
        match self.choice(flag, company) {
            Some(choice) => Some(OverriddenAnswer { on: choice.on, names_variant: choice.variant.is_some() }),
            None => self.otherwise.map(|on| OverriddenAnswer { on, names_variant: false }),
        }
    }

    /// Variant that was set for that flag and company.
    pub(crate) fn variant(&self, flag: &[u8], company: Option<Key<'_>>) -> Option<&[u8]> {
        self.choice(flag, company)?.variant.as_deref()
    }

    fn choice(&self, flag: &[u8], company: Option<Key<'_>>) -> Option<&Choice> {
        match self.flags.get(flag)? {
            Override::Same(choice) => Some(choice),
            Override::ByCompany(companies) => companies.get(&company?.into()),
        }
    }

    /// True if the flag was set to be on for any company.
    pub(crate) fn possible(&self, flag: &[u8]) -> Option<bool> {
        match self.flags.get(flag) {
            Some(Override::Same(choice)) => Some(choice.on),
            Some(Override::ByCompany(companies)) => {
                Some(self.otherwise == Some(true) || companies.values().any(|choice| choice.on))
            }
            None => self.otherwise,
        }
    }

    pub(crate) fn flags(&self) -> impl Iterator<Item = &[u8]> {
        self.flags.keys().map(Vec::as_slice)
    }
}

impl From<Key<'_>> for Company {
    fn from(key: Key<'_>) -> Company {
        match key {
            Key::Int(int) => Company::Int(int),
            Key::Text(text) => Company::Text(text.to_vec()),
        }
    }
}

fn parse_override(value: &Zval) -> Result<Override, String> {
    let Some(companies) = value.array() else { return choice(value).map(Override::Same) };
    let mut by_company = HashMap::new();
    for (key, value) in values::entries(companies) {
        by_company.insert(values::entry_key(&key).into(), choice(php::dereferenced(value))?);
    }
    Ok(Override::ByCompany(by_company))
}

fn choice(value: &Zval) -> Result<Choice, String> {
    if let Some(on) = value.bool() {
        return Ok(Choice { on, variant: None });
    }
    match value.zend_str() {
        Some(variant) => Ok(Choice { on: true, variant: Some(variant.as_bytes().to_vec()) }),
        None => Err(php::type_name(value).to_string()),
    }
}

fn key_bytes(key: &Zval) -> Vec<u8> {
    match values::entry_key(key) {
        Key::Int(int) => int.to_string().into_bytes(),
        Key::Text(text) => text.to_vec(),
    }
}
