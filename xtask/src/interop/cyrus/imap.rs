//! As much IMAP as it takes to make mailboxes (RFC 3501): one command after the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// Runs the commands; the first that is not answered with OK is an error.
pub(super) fn run<'a>(socket: &Path, commands: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut stream = UnixStream::connect(socket).context("Cyrus's IMAP server")?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let greeting = lines.next().context("no greeting")??;
    ensure!(greeting.starts_with("* OK "), "Cyrus's IMAP server says {greeting:?}");
    for command in commands {
        stream.write_all(format!("tag {command}\r\n").as_bytes())?;
        loop {
            let line = lines.next().context("Cyrus's IMAP server has closed the connection")??;
            // Lines that begin with * tell more than was asked for.
            if let Some(answer) = line.strip_prefix("tag ") {
                ensure!(answer.starts_with("OK"), "Cyrus's IMAP server answers {command:?} with {answer:?}");
                break;
            }
        }
    }
    Ok(())
}
