//! The encoding of a command for another machine.
//!
//! Shells may lie between the machines: `ssh` hands its arguments to one. So all that follows `--relayed` is written in characters that
//! mean nothing to any shell, others as `%` and two hex digits; a reason with a semicolon stays a reason.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The option after which arguments are encoded.
const MARK: &str = "--relayed=";

/// The encoded arguments, for stores of that environment.
pub fn encoded(environment: &str, arguments: &[String]) -> Vec<String> {
    let mark = format!("{MARK}{environment}");
    std::iter::once(mark).chain(arguments.iter().map(|argument| encode(argument))).collect()
}

/// The process's arguments, decoded.
pub fn decoded(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut relayed = false;
    arguments
        .map(|argument| {
            let meant = if relayed { decode(&argument) } else { argument };
            relayed |= meant.as_bytes().starts_with(MARK.as_bytes());
            meant
        })
        .collect()
}

fn encode(argument: &str) -> String {
    let mut safe = String::with_capacity(argument.len());
    for byte in argument.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b':'
            | b'/'
            | b'='
            | b'@'
            | b',' => {
                safe.push(char::from(byte));
            }
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    safe
}

fn decode(argument: &OsStr) -> OsString {
    let bytes = argument.as_bytes();
    let mut meant = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                meant.push(value);
                at += 3;
            }
            None => {
                meant.push(*byte);
                at += 1;
            }
        }
    }
    OsString::from_vec(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_argument_arrives_as_it_was_sent_and_no_shell_finds_anything_in_it() {
        let sent: Vec<String> =
            ["kill", "--reason=a \"b\"; rm -rf $HOME `x` 'y' %41\n\u{e4}", "", "*~{}()|&<>!#?[]\\^"]
                .map(str::to_owned)
                .into();
        let safe = encoded("production", &sent);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/=@,%".contains(c);
        assert!(safe.iter().all(|argument| argument.chars().all(plain)), "{safe:?}");
        let received = decoded(
            ["flagstone", "--store=%41"]
                .map(OsString::from)
                .into_iter()
                .chain(safe.into_iter().map(OsString::from)),
        );
        assert_eq!(received[..3], ["flagstone", "--store=%41", "--relayed=production"].map(OsString::from));
        assert_eq!(received[3..], sent.iter().map(OsString::from).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_typed_here_stays_as_it_was_typed() {
        let typed = ["flagstone", "kill", "--reason=%41"].map(OsString::from);
        assert_eq!(decoded(typed.clone().into_iter()), typed);
    }
}
