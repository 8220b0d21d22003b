//! The text format of OpenMetrics 1.0 (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>), as far as
//! parsers of Prometheus's older format take it too, such as that of node_exporter's textfile collector. Those know no type `info`.

use std::fmt::{Display, Write};

/// The type of a metric family, with its unit if it has one.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Counter,
    Gauge,
    GaugeOf(&'static str),
    HistogramOf(&'static str),
}

/// Families in sequence, each with its samples.
#[derive(Debug, Default)]
pub struct Text {
    text: String,
    family: String,
}

impl Text {
    /// Begins a family, to which the next samples belong.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let (word, unit) = match kind {
            Kind::Counter => ("counter", None),
            Kind::Gauge => ("gauge", None),
            Kind::GaugeOf(unit) => ("gauge", Some(unit)),
            Kind::HistogramOf(unit) => ("histogram", Some(unit)),
        };
        self.family = name.to_owned();
        self.push(format_args!("# TYPE {name} {word}"));
        if let Some(unit) = unit {
            self.push(format_args!("# UNIT {name} {unit}"));
        }
        // OpenMetrics escapes a quote here, and Prometheus's older format must not.
        self.push(format_args!("# HELP {name} {}", escaped(&help.replace('"', "'"))));
    }

    /// Adds a sample of the family, with the suffix of its kind: `_total`, `_bucket` …
    pub fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let name = std::mem::take(&mut self.family);
        self.push(format_args!("{name}{suffix}{labels} {value}"));
        self.family = name;
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        self.push(format_args!("# EOF"));
        self.text
    }

    fn push(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// A label's value or a help text: backslashes, quotes and line ends are escaped, and other control characters shown as �, since the text
/// ends up in other people's terminals and pages.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            control if control.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_says_what_it_is_before_its_samples() {
        let mut text = Text::default();
        text.family("a_seconds", Kind::GaugeOf("seconds"), "Since \"then\"");
        text.sample("", &[], 1.5);
        text.family("b", Kind::Counter, "Of all");
        text.sample("_total", &[("flag", "x\"y\\z\n\u{1b}[2J"), ("other", "é")], 7);
        assert_eq!(
            text.finish(),
            "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds Since 'then'\na_seconds 1.5\n\
             # TYPE b counter\n# HELP b Of all\nb_total{flag=\"x\\\"y\\\\z\\n\u{fffd}[2J\",other=\"é\"} 7\n# EOF\n"
        );
    }
}
