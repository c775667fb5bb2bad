//! The scripted server: it reads lines, answers what was asked, and stops at
//! anything that it did not expect.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{FROM, ROLES, Role};

/// Nobody is kept waiting if the play goes wrong.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server says before it is asked.
const GREETING: &str = "220 mx.example.org LMTP ready";
const BYE: &str = "221 2.0.0 Bye";

/// Serves one session; gives the message that was stored for Bob, or why the
/// server stopped.
pub(super) fn start(listener: UnixListener) -> JoinHandle<Result<Vec<u8>, String>> {
    thread::spawn(move || {
        let (stream, _) = listener.accept().map_err(|error| error.to_string())?;
        Session::new(stream).and_then(Session::play).map_err(|error| error.to_string())
    })
}

struct Session {
    lines: BufReader<UnixStream>,
    stream: UnixStream,
}

impl Session {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { lines: BufReader::new(stream.try_clone()?), stream })
    }

    fn play(mut self) -> io::Result<Vec<u8>> {
        self.say(GREETING)?;
        self.expect("LHLO ")?;
        self.say(
            "250-mx.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-SIZE 1000000\r\n250 8BITMIME",
        )?;
        self.expect(&format!("MAIL FROM:<{FROM}>"))?;
        self.say("250 2.1.0 Sender ok")?;

        let mut accepted = Vec::new();
        let mut line = self.line()?;
        while let Some(address) = line.strip_prefix("RCPT TO:<").and_then(|rest| rest.strip_suffix('>')) {
            let role = ROLES.iter().find(|role| role.address == address).ok_or_else(|| unexpected(&line))?;
            self.say(role.rcpt)?;
            if role.rcpt.starts_with('2') {
                accepted.push(role);
            }
            line = self.line()?;
        }
        if line != "DATA" {
            return Err(unexpected(&line));
        }
        self.say("354 End with <CRLF>.<CRLF>")?;
        let message = self.message()?;

        // The point of LMTP: one reply for each accepted recipient, in the
        // order of their RCPT commands.
        for Role { last, .. } in accepted {
            self.say(last.unwrap_or_default())?;
        }
        self.expect("QUIT")?;
        self.say(BYE)?;
        Ok(message)
    }

    /// The content up to the dot, doubled dots made single (RFC 5321
    /// section 4.5.2).
    fn message(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let line = self.line()?;
            if line == "." {
                return Ok(message);
            }
            message.extend_from_slice(line.strip_prefix('.').unwrap_or(&line).as_bytes());
            message.extend_from_slice(b"\r\n");
        }
    }

    fn expect(&mut self, start: &str) -> io::Result<()> {
        let line = self.line()?;
        if line.starts_with(start) { Ok(()) } else { Err(unexpected(&line)) }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| unexpected(&line))
    }

    fn say(&mut self, reply: &str) -> io::Result<()> {
        write!(self.stream, "{reply}\r\n")
    }
}

fn unexpected(line: &str) -> io::Error {
    io::Error::other(format!("unexpected {line:?}"))
}
