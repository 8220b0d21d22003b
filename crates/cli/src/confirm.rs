//! A question to whoever sits at the terminal.

use crate::output::Output;
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether a person says yes. Where nobody is there to ask, or JSON is wanted, the answer is no.
pub fn confirmed(question: &str, output: &mut Output) -> bool {
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if output.is_json() || !stdin.is_terminal() || !stderr.is_terminal() {
        return false;
    }
    output.flush();
    let mut answer = String::new();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    asked.is_ok()
        && stdin.lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
