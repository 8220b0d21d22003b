//! Resolves names in a file by its namespace and imports.

use std::collections::HashMap;

/// A file's namespace and imports up to the point that was read.
#[derive(Debug, Default)]
pub struct Names {
    pub namespace: String,
    /// Full names by alias, in lower case.
    classes: HashMap<String, String>,
    functions: HashMap<String, String>,
}

impl Names {
    /// Enters another namespace; imports end with the one before.
    pub fn enter(&mut self, namespace: &str) {
        *self = Names { namespace: namespace.trim_matches('\\').to_owned(), ..Names::default() };
    }

    pub fn import_class(&mut self, name: &str, alias: Option<&str>) {
        let (name, alias) = import(name, alias);
        self.classes.insert(alias, name);
    }

    pub fn import_function(&mut self, name: &str, alias: Option<&str>) {
        let (name, alias) = import(name, alias);
        self.functions.insert(alias, name);
    }

    /// The full name of a class, without a leading backslash.
    pub fn class(&self, name: &str) -> String {
        if let Some(absolute) = name.strip_prefix('\\') {
            return absolute.to_owned();
        }
        let (first, rest) = name.split_once('\\').map_or((name, None), |(first, rest)| (first, Some(rest)));
        if first.eq_ignore_ascii_case("namespace") && rest.is_some() {
            return self.qualified(rest.unwrap_or(""));
        }
        match (self.classes.get(&first.to_ascii_lowercase()), rest) {
            (Some(class), None) => class.clone(),
            (Some(class), Some(rest)) => format!("{class}\\{rest}"),
            (None, _) => self.qualified(name),
        }
    }

    /// The global function that a call reaches, in lower case; none if it reaches another function.
    pub fn function(&self, name: &str) -> Option<String> {
        let name = name.strip_prefix('\\').unwrap_or(name).to_ascii_lowercase();
        if name.contains('\\') {
            return None;
        }
        match self.functions.get(&name) {
            Some(full) if full.contains('\\') => None,
            Some(full) => Some(full.to_ascii_lowercase()),
            None => Some(name),
        }
    }

    fn qualified(&self, name: &str) -> String {
        match self.namespace.as_str() {
            "" => name.to_owned(),
            namespace => format!("{namespace}\\{name}"),
        }
    }
}

fn import(name: &str, alias: Option<&str>) -> (String, String) {
    let name = name.trim_start_matches('\\');
    (name.to_owned(), alias.unwrap_or(short(name)).to_ascii_lowercase())
}

/// The last part of a full name.
pub fn short(name: &str) -> &str {
    name.rsplit('\\').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_imports_say_or_of_the_namespace() {
        let mut names = Names::default();
        names.enter("App\\Http");
        names.import_class("App\\Enums\\Feature", None);
        names.import_class("\\Flagstone\\Laravel\\Facades\\Flagstone", Some("Flags"));
        names.import_class("App\\Models", None);
        assert_eq!(names.class("feature"), "App\\Enums\\Feature");
        assert_eq!(names.class("Flags"), "Flagstone\\Laravel\\Facades\\Flagstone");
        assert_eq!(names.class("Models\\Company"), "App\\Models\\Company");
        assert_eq!(names.class("Other"), "App\\Http\\Other");
        assert_eq!(names.class("namespace\\Other"), "App\\Http\\Other");
        assert_eq!(names.class("\\Other"), "Other");
        names.enter("");
        assert_eq!(names.class("Feature"), "Feature");
    }

    #[test]
    fn a_function_of_another_namespace_is_another_function() {
        let mut names = Names::default();
        names.enter("App");
        names.import_function("feature_enabled", Some("on"));
        names.import_function("Other\\feature_value", None);
        assert_eq!(names.function("On").as_deref(), Some("feature_enabled"));
        assert_eq!(names.function("\\FEATURE_enabled").as_deref(), Some("feature_enabled"));
        assert_eq!(names.function("feature_value"), None);
        assert_eq!(names.function("Other\\feature_enabled"), None);
    }
}
