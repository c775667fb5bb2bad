//! The trace fields that a server puts in front of what it stores.

use anyhow::{Context as _, Result};

/// A field that a server adds, once.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    start: &'static str,
    always: bool,
}

impl Field {
    /// One that begins like this and has to be there.
    pub(crate) const fn always(start: &'static str) -> Self {
        Self { start, always: true }
    }

    /// One that may be missing.
    pub(crate) const fn sometimes(start: &'static str) -> Self {
        Self { start, always: false }
    }
}

/// Takes each field, with its folded lines, off the front, in this order. The message itself may begin
/// with the same fields: those stay.
pub(crate) fn without<'a>(stored: &'a [u8], fields: &[Field]) -> Result<&'a [u8]> {
    fields.iter().try_fold(stored, |rest, field| match without_field(rest, field.start.as_bytes()) {
        Some(rest) => Ok(rest),
        None if !field.always => Ok(rest),
        None => {
            let start = stored[..stored.len().min(200)].escape_ascii();
            None.with_context(|| format!("no field {:?} among the trace fields in front of: {start}", field.start))
        }
    })
}

/// What follows the field and its folded lines, if the octets begin with it.
pub(crate) fn without_field<'a>(octets: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let mut rest = octets.strip_prefix(start)?;
    loop {
        let line_end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        rest = &rest[line_end + 2..];
        if !rest.starts_with(b"\t") && !rest.starts_with(b" ") {
            return Some(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 3] =
        [Field::always("Return-Path: "), Field::sometimes("Delivered-To: "), Field::always("Received: ")];
    const TRACE: &str = "Return-Path: <a@example.org>\r\nDelivered-To: b@example.test\r\n\
        Received: from x\r\n\tby y with LMTP\r\n\tid z\r\n\tfor <b@example.test>; today\r\n";

    #[test]
    fn exactly_the_peers_fields_are_taken_off() {
        let shared = TRACE.replace("Delivered-To: b@example.test\r\n", "");
        for trace in [TRACE, &shared] {
            for message in ["", "\r\nbody\r\n", "Received: mine\r\n\tfolded\r\n", TRACE, "no line end"] {
                let stored = format!("{trace}{message}");
                assert_eq!(without(stored.as_bytes(), &FIELDS).unwrap(), message.as_bytes());
            }
        }
    }

    #[test]
    fn missing_trace_fields_are_an_error() {
        for stored in ["", "From: a\r\n", "Return-Path: <a@example.org>\r\nFrom: a\r\n"] {
            assert!(without(stored.as_bytes(), &FIELDS).is_err(), "{stored:?}");
        }
    }
}
