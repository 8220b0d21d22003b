//! Enums and constants that name flags.

use super::value::{Part, Value};
use std::collections::{BTreeSet, HashMap};

/// The longest chain of constants, and of classes and their parents.
const DEPTH: usize = 8;

/// A class, interface, trait or enum, as declared.
#[derive(Debug, Default)]
pub struct Class {
    /// The name with its namespace.
    pub name: String,
    pub constants: HashMap<String, Value>,
    /// Parent and interfaces, from which constants come as well.
    pub parents: Vec<String>,
}

/// All classes that were read.
#[derive(Debug, Default)]
pub struct Classes {
    /// Classes by full name in lower case: PHP's class names ignore case.
    known: HashMap<String, Class>,
}

impl Classes {
    pub fn add(&mut self, declared: Vec<Class>) {
        for class in declared {
            self.known.entry(class.name.to_ascii_lowercase()).or_insert(class);
        }
    }

    pub fn knows(&self, class: &str) -> bool {
        self.known.contains_key(&class.to_ascii_lowercase())
    }

    /// The string behind a constant or an enum's case.
    pub fn constant(&self, class: &str, name: &str) -> Option<String> {
        self.follow(class, name, DEPTH, &mut BTreeSet::new())
    }

    /// Classes named by these values, or by the values that those lead to, that were not read.
    pub fn missing<'a>(&self, values: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
        let mut missing = BTreeSet::new();
        for value in values {
            let Value::Known(parts) = value else { continue };
            for part in parts {
                if let Part::Constant { class, name } = part {
                    self.follow(class, name, DEPTH, &mut missing);
                }
            }
        }
        missing
    }

    fn follow(
        &self,
        class: &str,
        name: &str,
        depth: usize,
        missing: &mut BTreeSet<String>,
    ) -> Option<String> {
        let depth = depth.checked_sub(1)?;
        let Some(found) = self.known.get(&class.to_ascii_lowercase()) else {
            missing.insert(class.to_owned());
            return None;
        };
        match found.constants.get(name) {
            Some(Value::Known(parts)) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Some(text.clone()),
                    Part::Constant { class, name } => self.follow(class, name, depth, missing),
                })
                .collect(),
            Some(Value::Unknown(_)) => None,
            None => found.parents.iter().find_map(|parent| self.follow(parent, name, depth, missing)),
        }
    }
}
