//! From a long stream that shows a difference to the few commands that matter, and how they read.

use std::fmt::Write;

use ringtape::event::fields::FieldValue;
use ringtape::event::{Event, Execution};

use super::{Subject, answer};

/// Commands of the report at most, the last ones.
const COMMANDS_SHOWN_MAX: usize = 60;

type Command = Vec<Event>;

/// Shrinks `commands`, on which the two subjects differ, and tells of what is left.
pub(crate) fn report(
    commands: Vec<Command>,
    fresh: impl Fn() -> (Box<dyn Subject>, Box<dyn Subject>),
) -> String {
    let commands = shrink(commands, &fresh);
    let (mut model, mut engine) = fresh();
    let mut text = format!("{} commands are enough to differ:\n", commands.len());
    let skipped = commands.len().saturating_sub(COMMANDS_SHOWN_MAX);
    for (index, command) in commands.iter().enumerate() {
        let expected = answer(&mut *model, command);
        let found = answer(&mut *engine, command);
        if index < skipped {
            continue;
        }
        for event in command {
            let _ = writeln!(text, "> {}", command_line(event));
        }
        let is_equal = expected == found;
        for execution in &expected {
            let _ =
                writeln!(text, "  {}{}", if is_equal { "" } else { "model:  " }, line(execution));
        }
        if !is_equal {
            for execution in &found {
                let _ = writeln!(text, "  engine: {}", line(execution));
            }
            break;
        }
    }
    text
}

/// Leaves out whatever can be left out, in ever smaller pieces.
fn shrink(
    mut commands: Vec<Command>,
    fresh: &impl Fn() -> (Box<dyn Subject>, Box<dyn Subject>),
) -> Vec<Command> {
    let mut piece = commands.len() / 2;
    while piece > 0 {
        let mut start = 0;
        while start < commands.len() {
            let end = (start + piece).min(commands.len());
            let rest = [&commands[..start], &commands[end..]].concat();
            match first_difference(&rest, fresh) {
                Some(at) => commands = rest[..=at].to_vec(),
                None => start = end,
            }
        }
        piece /= 2;
    }
    commands
}

fn first_difference(
    commands: &[Command],
    fresh: &impl Fn() -> (Box<dyn Subject>, Box<dyn Subject>),
) -> Option<usize> {
    let (mut model, mut engine) = fresh();
    commands
        .iter()
        .position(|command| answer(&mut *model, command) != answer(&mut *engine, command))
}

/// A command's record with the fields that are not zero.
pub(crate) fn command_line(event: &Event) -> String {
    let kind = event.kind().expect("a known kind");
    let mut text = format!("{} {} #{}", event.ts_event, kind.name(), event.instrument);
    if let Some(side) = event.side() {
        let _ = write!(text, " {}", side.name());
    }
    for field in kind.info().fields.iter().filter(|field| !field.is_filling()) {
        match field.read(event) {
            FieldValue::Unsigned(0) | FieldValue::Letter(None) => {}
            FieldValue::Unsigned(value) => {
                let _ = write!(text, " {}={value}", field.name);
            }
            FieldValue::Price(price) if price.0 != 0 => {
                let _ = write!(text, " {}={price}", field.name);
            }
            FieldValue::Letter(Some(letter)) => {
                let _ = write!(text, " {}={letter}", field.name);
            }
            _ => {}
        }
    }
    text
}

/// An execution with the fields that are not zero.
pub(crate) fn line(execution: &Execution) -> String {
    let kind = execution.kind().map_or("?", |kind| kind.name());
    let mut text = format!("{kind} #{} order {}", execution.instrument, execution.order_id);
    if let Some(side) = execution.side() {
        let _ = write!(text, " {}", side.name());
    }
    for (name, value) in [
        ("price", execution.price),
        ("qty", execution.qty.cast_signed()),
        ("leaves", execution.leaves.cast_signed()),
        ("cum", execution.cum.cast_signed()),
        ("contra", execution.contra_order_id.cast_signed()),
        ("match", execution.match_id.cast_signed()),
        ("new", execution.new_order_id.cast_signed()),
        ("account", i64::from(execution.account)),
        ("liquidity", i64::from(execution.liquidity)),
        ("flags", i64::from(execution.flags)),
        ("fee", execution.fee),
        ("cause", execution.cause.cast_signed()),
        ("reserved", execution.reserved.cast_signed()),
    ] {
        if value != 0 {
            let _ = write!(text, " {name} {value}");
        }
    }
    let _ = write!(text, " {} at {}", execution.reason().name(), execution.ts_event);
    text
}
