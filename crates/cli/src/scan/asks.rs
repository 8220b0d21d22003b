//! The names that ask for a flag: functions, methods and classes of Flagstone, of its Laravel package and of Laravel Pennant.

/// Functions whose first argument is a flag.
pub fn function(name: &str) -> bool {
    matches!(
        name,
        "feature_enabled"
            | "feature_peek"
            | "feature_possible"
            | "feature_variant"
            | "feature_value"
            | "feature_explain"
            | "feature_filter"
            | "feature_needs"
    )
}

/// Blade's directives whose first argument is a flag, by their name in lower case.
pub fn directive(name: &str) -> bool {
    let name = name.strip_prefix("else").or_else(|| name.strip_prefix("unless")).unwrap_or(name);
    matches!(name, "flagstone" | "flagstonepeek" | "feature")
}

/// The API that a call goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The facade `Flagstone`, the objects that it returns, and the questions for one company.
    Flagstone,
    /// Laravel Pennant's facade.
    Pennant,
}

/// The API behind a class's full name.
pub fn asker(class: &str) -> Option<Asker> {
    match class.to_ascii_lowercase().as_str() {
        "flagstone"
        | "flagstone\\laravel\\facades\\flagstone"
        | "flagstone\\laravel\\flagstone"
        | "flagstone\\laravel\\questions" => Some(Asker::Flagstone),
        "feature" | "laravel\\pennant\\feature" => Some(Asker::Pennant),
        _ => None,
    }
}

/// True if the construct, as it is shown, asks Pennant, or an object that may be Pennant's.
pub fn of_pennant(how: &str) -> bool {
    let method = how.strip_prefix("->").and_then(|rest| rest.strip_suffix("()"));
    how == "@feature"
        || how.starts_with("Feature::")
        || how.starts_with("EnsureFeaturesAreActive::")
        || method.is_some_and(|method| Asker::Pennant.asks(method) && !matches!(method, "value"))
}

impl Asker {
    /// True if the method's first argument is a flag, or a list of flags.
    pub fn asks(self, method: &str) -> bool {
        let method = method.to_ascii_lowercase();
        match self {
            Asker::Flagstone => {
                matches!(method.as_str(), "enabled" | "possible" | "variant" | "value" | "explain" | "filter")
            }
            Asker::Pennant => matches!(
                method.as_str(),
                "active"
                    | "inactive"
                    | "value"
                    | "values"
                    | "when"
                    | "unless"
                    | "allareactive"
                    | "someareactive"
                    | "allareinactive"
                    | "someareinactive"
            ),
        }
    }

    /// True if the method returns an object of the same API.
    pub fn leads(self, method: &str) -> bool {
        matches!(method.to_ascii_lowercase().as_str(), "for" | "peek" | "store")
    }
}

/// Static methods of the package that take flags as all their arguments.
pub fn all_of(class: &str, method: &str) -> bool {
    match class.to_ascii_lowercase().as_str() {
        "flagstone\\laravel\\http\\checkfeatureflag" => {
            method.eq_ignore_ascii_case("using") || method.eq_ignore_ascii_case("usingAny")
        }
        "laravel\\pennant\\middleware\\ensurefeaturesareactive" => method.eq_ignore_ascii_case("using"),
        "flagstone\\laravel\\queue\\requiresfeature" => method.eq_ignore_ascii_case("for"),
        _ => false,
    }
}

/// Classes whose constructors take flags as all their arguments.
pub fn constructed(class: &str) -> bool {
    class.eq_ignore_ascii_case("Flagstone\\Laravel\\Rules\\FeatureEnabled")
}

/// Methods of a company's model whose first argument is a flag.
pub fn of_company(method: &str) -> bool {
    method.eq_ignore_ascii_case("hasFeature") || method.eq_ignore_ascii_case("featureVariant")
}

/// Methods of the scheduler that take a flag.
pub fn of_schedule(method: &str) -> bool {
    method.eq_ignore_ascii_case("feature") || method.eq_ignore_ascii_case("featurePossible")
}

/// Methods that create a scheduled task.
pub fn scheduled(method: &str) -> bool {
    matches!(method.to_ascii_lowercase().as_str(), "command" | "job" | "call" | "exec")
}

/// Questions to Laravel's gates: `can('feature', 'customer_portal')`.
pub fn gate(method: &str) -> bool {
    matches!(
        method.to_ascii_lowercase().as_str(),
        "can"
            | "cannot"
            | "cant"
            | "canany"
            | "allows"
            | "denies"
            | "check"
            | "any"
            | "none"
            | "authorize"
            | "inspect"
    )
}

/// Methods that take validation rules.
pub fn validates(method: &str) -> bool {
    matches!(
        method.to_ascii_lowercase().as_str(),
        "validate" | "validatewithbag" | "make" | "rules" | "sometimes"
    )
}

/// Beginnings of a middleware's string that names flags.
pub fn middleware(text: &str) -> bool {
    ["feature:", "can:feature,", "Flagstone\\Laravel\\Http\\CheckFeatureFlag:"]
        .iter()
        .any(|begin| text.starts_with(begin))
}
