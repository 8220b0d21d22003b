//! The value of a literal string of PHP.

/// The text between single quotes: only a quote and a backslash are escaped.
pub fn single(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' if matches!(rest.peek(), Some('\\' | '\'')) => plain.extend(rest.next()),
            c => plain.push(c),
        }
    }
    plain
}

/// The character of one escape sequence between double quotes; none for those that no flag's key can contain.
pub fn escape(text: &str) -> Option<char> {
    match text {
        "\\\\" => Some('\\'),
        "\\$" => Some('$'),
        "\\\"" => Some('"'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_same_with_one_backslash_or_two() {
        assert_eq!(single(r"App\Features\New"), r"App\Features\New");
        assert_eq!(single(r"App\\Features\\New"), r"App\Features\New");
        assert_eq!(single(r"it\'s"), "it's");
        assert_eq!(single(r"end\"), r"end\");
    }

    #[test]
    fn control_characters_are_no_part_of_a_key() {
        assert_eq!(escape("\\\\"), Some('\\'));
        assert_eq!(escape("\\n"), None);
    }
}
