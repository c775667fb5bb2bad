//! What Cyrus stored, without the trace fields that it put in front.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::interop::trace::{self, Field};

/// Also the session's name, a note that a script was looked for, and what a message has to have and has not.
const TRACE: [Field; 6] = [
    Field::always("Return-Path: "),
    Field::always("Received: "),
    Field::always("X-Cyrus-Session-Id: "),
    Field::always("X-Sieve: "),
    Field::sometimes("Message-ID: <cmu-lmtpd-"),
    Field::sometimes("Date: "),
];

/// How many messages are in a mailbox's directory.
pub(super) fn count(directory: &Path) -> Result<usize> {
    Ok(numbered(directory)?.len())
}

/// The messages in a mailbox's directory, in their order.
fn numbered(directory: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut numbered = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        // A message is the file `NUMBER.`; the others are Cyrus's own.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(number) = name.strip_suffix('.').and_then(|number| number.parse::<u32>().ok()) {
            numbered.push((number, path));
        }
    }
    numbered.sort();
    Ok(numbered)
}

/// Takes all messages out of a mailbox's directory, behind Cyrus's back: delivering goes on all the same.
pub(super) fn take(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    for (_, path) in numbered(directory)? {
        let stored = fs::read(&path).with_context(|| path.display().to_string())?;
        fs::remove_file(&path)?;
        messages.push(trace::without(&stored, &TRACE)?.to_vec());
    }
    Ok(messages)
}

/// Cyrus takes `Return-Path` out of the header of a message that already has one.
pub(super) fn kept(message: &[u8]) -> Vec<u8> {
    let mut header = message;
    let mut before = Vec::new();
    loop {
        if let Some(rest) = trace::without_field(header, b"Return-Path: ") {
            return [&before, rest].concat();
        }
        let Some(line) = header.split_inclusive(|&octet| octet == b'\n').next().filter(|line| *line != b"\r\n") else {
            return message.to_vec();
        };
        before.extend_from_slice(line);
        header = &header[line.len()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_of_the_header_goes() {
        assert_eq!(kept(b"A: b\r\nReturn-Path: <x>\r\nC: d\r\n\r\n"), b"A: b\r\nC: d\r\n\r\n");
        for untouched in ["", "A: b", "A: b\r\n", "A: b\r\n\r\nReturn-Path: <x>\r\n"] {
            assert_eq!(kept(untouched.as_bytes()), untouched.as_bytes());
        }
    }
}
