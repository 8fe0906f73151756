//! Checks whether amiquip would read all of a table. Its parser recurses without limit, and stops silently at the first
//! entry that it does not understand.

use super::bytes::{Fields, is_utf8};
use super::defect_header::Defect;

/// How deeply tables and lists may be nested, the outermost included.
pub(super) const MAX_DEPTH: usize = 32;

/// An open table or list.
#[derive(Clone, Copy)]
struct Level {
    end: usize,
    /// Tables name their entries, lists do not.
    named: bool,
}

/// Checks the content of a table, which follows its length. It needs a fixed amount of stack and allocates no memory.
pub(super) fn check(content: &[u8]) -> Result<(), Defect> {
    let mut fields = Fields::new(content);
    let mut levels = [Level { end: content.len(), named: true }; MAX_DEPTH];
    let mut depth = 1;
    loop {
        let Level { end, named } = levels[depth - 1];
        if fields.at() == end {
            depth -= 1;
            if depth == 0 {
                return Ok(());
            }
            continue;
        }
        if named && !is_utf8(fields.short_string().ok_or(Defect::Malformed)?) {
            return within(end, &fields).and(Err(Defect::NotUtf8));
        }
        match value(&mut fields)? {
            Value::Whole => within(end, &fields)?,
            Value::NotUtf8 => return within(end, &fields).and(Err(Defect::NotUtf8)),
            Value::Nested { length, named } => {
                within(end, &fields)?;
                let inner = fields.at().checked_add(length).filter(|inner| *inner <= end).ok_or(Defect::Malformed)?;
                if depth == MAX_DEPTH {
                    return Err(Defect::TooDeep);
                }
                levels[depth] = Level { end: inner, named };
                depth += 1;
            }
        }
    }
}

enum Value {
    Whole,
    NotUtf8,
    /// A table or list, whose content follows.
    Nested {
        length: usize,
        named: bool,
    },
}

/// Reads a value by its type letter, as RabbitMQ and amiquip understand it.
fn value(fields: &mut Fields<'_>) -> Result<Value, Defect> {
    let size = match fields.u8().ok_or(Defect::Malformed)? {
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' | b'U' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'L' | b'l' | b'd' | b'T' => 8,
        b'x' => {
            fields.long_string().ok_or(Defect::Malformed)?;
            return Ok(Value::Whole);
        }
        b'S' => {
            let text = fields.long_string().ok_or(Defect::Malformed)?;
            return Ok(if is_utf8(text) { Value::Whole } else { Value::NotUtf8 });
        }
        letter @ (b'F' | b'A') => {
            let length = fields.u32().ok_or(Defect::Malformed)? as usize;
            return Ok(Value::Nested { length, named: letter == b'F' });
        }
        _ => return Err(Defect::UnknownType),
    };
    fields.take(size).ok_or(Defect::Malformed)?;
    Ok(Value::Whole)
}

/// Checks that a value ends within its table.
fn within(end: usize, fields: &Fields<'_>) -> Result<(), Defect> {
    if fields.at() > end { Err(Defect::Malformed) } else { Ok(()) }
}
