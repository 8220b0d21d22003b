//! Compares an answer with the expectation.

use super::times::milliseconds;
use super::{Expect, HttpAnswer};
use crate::display;

/// The longest text of a header that is printed, in characters.
const MAX_SHOWN_CHARACTERS: usize = 60;

/// The first deviation, as found and expected; none if there is none.
pub fn judge(expect: &Expect, answer: &HttpAnswer) -> Option<String> {
    if !expect.status.contains(&answer.status) {
        let expected = expect.status.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
        return Some(format!("found status {}, expected {expected}", answer.status));
    }
    for (name, expected) in &expect.headers {
        let values: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .collect();
        if !values.iter().any(|value| value.contains(expected)) {
            let found = match values.first() {
                None => "no such header".to_owned(),
                Some(value) => {
                    display::plain(&value.chars().take(MAX_SHOWN_CHARACTERS).collect::<String>()).into_owned()
                }
            };
            return Some(format!("header {name}: found {found}, expected {}", display::quoted(expected)));
        }
    }
    let size = || display::counted(answer.body.len() as u64, "byte");
    if let Some(missing) = expect.contains.iter().find(|text| !contains(&answer.body, text)) {
        return Some(format!("body of {}: expected {}", size(), display::quoted(missing)));
    }
    if let Some(there) = expect.lacks.iter().find(|text| contains(&answer.body, text)) {
        return Some(format!("body of {}: found {}, expected none", size(), display::quoted(there)));
    }
    match expect.max_time {
        Some(most) if answer.took > most => {
            Some(format!("took {}, expected at most {}", milliseconds(answer.took), milliseconds(most)))
        }
        _ => None,
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|found| found == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_first_thing_that_is_not_as_expected_is_told() {
        let answer = HttpAnswer {
            status: 200,
            headers: vec![("location".to_owned(), "/login?next=1".to_owned())],
            body: b"Invoices \xff of company 16".to_vec(),
            took: Duration::from_millis(80),
        };
        let well = Expect {
            status: vec![404, 200],
            contains: vec!["Invoices".to_owned(), "16".to_owned()],
            lacks: vec!["Whoops".to_owned()],
            headers: vec![("location".to_owned(), "/login".to_owned())],
            max_time: Some(Duration::from_millis(80)),
        };
        assert_eq!(judge(&well, &answer), None);
        let told = |change: fn(&mut Expect)| {
            let mut expect = well.clone();
            change(&mut expect);
            judge(&expect, &answer).unwrap_or_default()
        };
        assert_eq!(told(|expect| expect.status = vec![404, 403]), "found status 200, expected 404 or 403");
        assert_eq!(told(|expect| expect.contains.push("17".to_owned())), "body of 24 bytes: expected \"17\"");
        assert_eq!(
            told(|expect| expect.lacks.push("16".to_owned())),
            "body of 24 bytes: found \"16\", expected none"
        );
        assert_eq!(
            told(|expect| expect.headers[0].1 = "/home".to_owned()),
            "header location: found /login?next=1, expected \"/home\""
        );
        assert_eq!(
            told(|expect| expect.headers[0].0 = "x".to_owned()),
            "header x: found no such header, expected \"/login\""
        );
        assert_eq!(
            told(|expect| expect.max_time = Some(Duration::from_millis(79))),
            "took 80 ms, expected at most 79 ms"
        );
    }
}
