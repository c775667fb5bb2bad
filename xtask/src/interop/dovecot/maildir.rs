//! What Dovecot stored, without the trace fields that it put in front.
//!
//! `mail_save_crlf = yes` in the configuration keeps CRLF on disk, so that nothing has to be normalised
//! before the octets are compared. Dovecot turns a bare LF into CRLF on the way in: that none is ever
//! sent cannot be seen here, and is proved by the tests of `lmtp-proto`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::interop::trace::{self, Field};

/// There is no `Delivered-To` when the message had several recipients.
const TRACE: [Field; 3] =
    [Field::always("Return-Path: "), Field::sometimes("Delivered-To: "), Field::always("Received: ")];

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
        messages.push(trace::without(&stored, &TRACE)?.to_vec());
    }
    Ok(messages)
}
