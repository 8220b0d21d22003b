//! A question to the person at the terminal.

use crate::output::Output;
use std::io::{self, BufRead, IsTerminal, Write};

/// True if a person says yes; false if no terminal is there, or JSON is wanted.
pub fn confirmed(question: &str, output: &mut Output) -> bool {
    answer(&format!("{question} [y/N] "), output)
        .is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// The typed answer; none if no terminal is there, or JSON is wanted.
pub fn answer(question: &str, output: &mut Output) -> Option<String> {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if output.is_json() || !stdin.is_terminal() || !stderr.is_terminal() {
        return None;
    }
    output.flush();
    let mut answer = String::new();
    write!(stderr, "{question}").and_then(|()| stderr.flush()).ok()?;
    stdin.lock().read_line(&mut answer).ok()?;
    Some(answer.trim().to_owned())
}
