//! A question to whoever sits at the terminal.

use crate::output::Output;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether a person says yes. Where nobody is there to ask, or JSON is wanted, the answer is no.
pub fn confirmed(question: &str, output: &mut Output) -> bool {
    answer(&format!("{question} [y/N] "), output)
        .is_some_and(|answer| matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}

/// What a person types; none where nobody is there to ask, or JSON is wanted.
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
