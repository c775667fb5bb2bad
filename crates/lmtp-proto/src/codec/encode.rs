//! Values onto the wire.
//!
//! Nothing is checked here: what a value can hold was checked when it was made.

use core::fmt::Write;

use crate::SendQueue;
use crate::value::{Command, Reply};

/// Appends a command and its CRLF.
pub fn encode_command(command: &Command, queue: &mut SendQueue) {
    // Writing to a queue cannot fail, and no Display here does.
    let _ = match command {
        // Display masks what is said here.
        Command::Auth(mechanism, Some(response)) => write!(queue, "AUTH {mechanism} {}\r\n", response.to_base64()),
        command => write!(queue, "{command}\r\n"),
    };
}

/// Appends every line of a reply, the enhanced code on each (RFC 2034
/// section 4).
pub fn encode_reply(reply: &Reply, queue: &mut SendQueue) {
    let mut lines = reply.lines().peekable();
    while let Some(line) = lines.next() {
        let more = lines.peek().is_some();
        let _ = write!(queue, "{}", reply.code());
        match (reply.enhanced(), line) {
            (Some(enhanced), line) => {
                let _ = write!(queue, "{}{enhanced}{}", separator(more), if line.is_empty() { "" } else { " " });
                queue.put(line);
            }
            (None, []) if !more => {}
            (None, line) => {
                queue.put(separator(more).as_bytes());
                queue.put(line);
            }
        }
        queue.put(b"\r\n");
    }
}

fn separator(more: bool) -> &'static str {
    if more { "-" } else { " " }
}
