//! `ask`: prints on or off, and says it by the exit code too.

use crate::args::{Arguments, Ask};
use crate::output::{BAD, Exit, GOOD, Outcome, Output};
use crate::question::{Attributes, question};
use crate::{display, store_view};
use flagstone::{evaluate, variant};
use serde_json::json;

pub fn run(arguments: &Arguments, command: &Ask, output: &mut Output) -> Outcome {
    let attributes = Attributes::read(command.context.as_deref())?;
    let served = store_view::served(arguments, output)?;
    let flag = served.flag(&command.flag)?;
    let question = question(command, &attributes);
    let answer = evaluate(&served.snapshot, &served.view.switches, flag, &question);
    let variant = if answer.on { variant(&served.snapshot, flag, &question) } else { None };
    output.line(match answer.on {
        true => output.paint(GOOD, "on"),
        false => output.paint(BAD, "off"),
    });
    output.json(&json!({
        "flag": command.flag,
        "company": question.company.map(display::key_json),
        "enabled": answer.on,
        "reason": answer.reason.as_str(),
        "variant": variant.map(|variant| variant.name),
        "environment": served.environment,
        "generation": served.view.generation,
    }));
    Ok(if answer.on { Exit::Yes } else { Exit::No })
}
