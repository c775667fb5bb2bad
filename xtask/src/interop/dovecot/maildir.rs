//! What Dovecot stored, without the trace fields that it put in front.
//!
//! `mail_save_crlf = yes` in the configuration keeps CRLF on disk, so that nothing has to be normalised
//! before the octets are compared. Dovecot turns a bare LF into CRLF on the way in: that none is ever
//! sent cannot be seen here, and is proved by the tests of `lmtp-proto`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Takes all messages out of a Maildir, in the order of their names. One that was never made is empty.
pub(super) fn take(maildir: &Path) -> Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for folder in ["new", "cur"] {
        match fs::read_dir(maildir.join(folder)) {
            Ok(entries) => {
                for entry in entries {
                    paths.push(entry?.path());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| maildir.display().to_string()),
        }
    }
    paths.sort();
    let mut messages = Vec::new();
    for path in paths {
        let stored = fs::read(&path).with_context(|| path.display().to_string())?;
        fs::remove_file(&path)?;
        messages.push(without_trace(&stored)?.to_vec());
    }
    Ok(messages)
}

/// Takes one `Return-Path`, at most one `Delivered-To` (there is none when the message had several
/// recipients) and one folded `Received` off the front. The message itself may begin with the same fields.
fn without_trace(stored: &[u8]) -> Result<&[u8]> {
    let after_path = without_field(stored, b"Return-Path: ");
    let after_delivered = after_path.map(|rest| without_field(rest, b"Delivered-To: ").unwrap_or(rest));
    let message = after_delivered.and_then(|rest| without_field(rest, b"Received: "));
    message.with_context(|| {
        let start = &stored[..stored.len().min(200)];
        format!("no trace fields in front of: {}", start.escape_ascii())
    })
}

/// What follows the field `name` and its folded lines, if the octets begin with it.
fn without_field<'a>(octets: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = octets.strip_prefix(name)?;
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

    const TRACE: &str = "Return-Path: <a@example.org>\r\nDelivered-To: b@example.test\r\n\
        Received: from x\r\n\tby y with LMTP\r\n\tid z\r\n\tfor <b@example.test>; today\r\n";

    #[test]
    fn exactly_the_peers_fields_are_taken_off() {
        let shared = TRACE.replace("Delivered-To: b@example.test\r\n", "");
        for trace in [TRACE, &shared] {
            for message in ["", "\r\nbody\r\n", "Received: mine\r\n\tfolded\r\n", TRACE, "no line end"] {
                let stored = format!("{trace}{message}");
                assert_eq!(without_trace(stored.as_bytes()).unwrap(), message.as_bytes());
            }
        }
    }

    #[test]
    fn missing_trace_fields_are_an_error() {
        for stored in ["", "From: a\r\n", "Return-Path: <a@example.org>\r\nFrom: a\r\n"] {
            assert!(without_trace(stored.as_bytes()).is_err(), "{stored:?}");
        }
    }
}
