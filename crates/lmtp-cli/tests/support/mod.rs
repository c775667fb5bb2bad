//! A scripted server, and the program run against it.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod served;

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(20);

/// What a server says. A queue that is empty closes the connection.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) greeting: &'static str,
    pub(crate) lhlo: &'static str,
    pub(crate) mail: &'static str,
    pub(crate) rcpt: Vec<&'static str>,
    pub(crate) data: &'static str,
    pub(crate) finals: Vec<&'static str>,
    pub(crate) quit: Option<&'static str>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            greeting: "220 mx.test LMTP ready",
            lhlo: "250-mx.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME",
            mail: "250 2.1.0 Ok",
            rcpt: vec!["250 2.1.5 Ok"; 3],
            data: "354 go on",
            finals: vec!["250 2.0.0 Saved"; 3],
            quit: Some("221 2.0.0 Bye"),
        }
    }
}

impl Script {
    fn play(&self, peer: &mut Peer) {
        let (mut rcpt, mut finals) = (VecDeque::from(self.rcpt.clone()), VecDeque::from(self.finals.clone()));
        let mut accepted = 0;
        peer.say(self.greeting);
        while let Some(line) = peer.line() {
            match line.split(' ').next().unwrap_or_default() {
                "LHLO" => peer.say(self.lhlo),
                "MAIL" => peer.say(self.mail),
                "RCPT" => {
                    let Some(reply) = rcpt.pop_front() else { return };
                    accepted += usize::from(reply.starts_with('2'));
                    peer.say(reply);
                }
                "DATA" => {
                    peer.say(self.data);
                    if self.data.starts_with('3') {
                        if peer.content().is_none() {
                            return;
                        }
                        for _ in 0..accepted {
                            let Some(reply) = finals.pop_front() else { return };
                            peer.say(reply);
                        }
                    }
                }
                "QUIT" => {
                    if let Some(reply) = self.quit {
                        peer.say(reply);
                    }
                    return;
                }
                _ => peer.say("500 5.5.1 What?"),
            }
        }
    }
}

/// What a server has seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) connections: usize,
    /// All lines but those of the content.
    pub(crate) lines: Vec<String>,
    /// The content as it was on the wire, if its end came.
    pub(crate) content: Option<Vec<u8>>,
}

/// A server in a thread.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
    /// What the server's part has told the test.
    pub(crate) told: Receiver<()>,
    directory: Option<TempDir>,
}

impl Server {
    /// A server on a Unix socket that follows a script.
    pub(crate) fn unix(script: Script) -> Self {
        Self::acting(move |peer| script.play(peer))
    }

    /// A server on a TCP port that follows a script.
    pub(crate) fn tcp(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("lmtp://{}", listener.local_addr().unwrap());
        let accept = move || listener.accept().map(|(stream, _)| Stream::from(stream));
        Self::start(url, None, accept, move |peer| script.play(peer))
    }

    /// A server on a Unix socket that does as it is told.
    pub(crate) fn acting(act: impl Fn(&mut Peer) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lmtp");
        let listener = UnixListener::bind(&path).unwrap();
        let url = format!("unix:{}", path.display());
        let accept = move || listener.accept().map(|(stream, _)| Stream::from(stream));
        Self::start(url, Some(directory), accept, act)
    }

    fn start(
        url: String,
        directory: Option<TempDir>,
        accept: impl Fn() -> std::io::Result<Stream> + Send + 'static,
        act: impl Fn(&mut Peer) + Send + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (tell, told) = mpsc::channel();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            while let Ok(Stream { read, write }) = accept() {
                shared.lock().unwrap().connections += 1;
                let mut peer =
                    Peer { read: BufReader::new(read), write, seen: Arc::clone(&shared), tell: tell.clone() };
                act(&mut peer);
            }
        });
        Self { url, seen, told, directory }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

/// Both halves of a connection.
struct Stream {
    read: Box<dyn Read>,
    write: Box<dyn Write>,
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self { read: Box::new(stream.try_clone().unwrap()), write: Box::new(stream) }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LONG)).unwrap();
        Self { read: Box::new(stream.try_clone().unwrap()), write: Box::new(stream) }
    }
}

/// The client, as the server sees it.
pub(crate) struct Peer {
    read: BufReader<Box<dyn Read>>,
    write: Box<dyn Write>,
    seen: Arc<Mutex<Seen>>,
    tell: Sender<()>,
}

impl Peer {
    /// Says a reply, whole.
    pub(crate) fn say(&mut self, reply: impl AsRef<[u8]>) {
        let _ = self.write.write_all(&[reply.as_ref(), b"\r\n"].concat());
    }

    /// The next line; `None` when the client has gone.
    pub(crate) fn line(&mut self) -> Option<String> {
        let line = String::from_utf8(self.octets()?).unwrap();
        let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("no CRLF behind {line:?}")).to_owned();
        self.seen.lock().unwrap().lines.push(line.clone());
        Some(line)
    }

    /// The content up to its end; `None` when the client goes before.
    pub(crate) fn content(&mut self) -> Option<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let line = self.octets()?;
            if line == b".\r\n" {
                self.seen.lock().unwrap().content = Some(content.clone());
                return Some(content);
            }
            content.extend_from_slice(&line);
        }
    }

    fn octets(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        match self.read.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(line),
        }
    }

    /// Reads until the client goes.
    pub(crate) fn wait_for_close(&mut self) {
        while self.octets().is_some() {}
    }

    /// Answers everything up to the content with a yes, and takes the content.
    pub(crate) fn accept_message(&mut self) {
        self.accept_until_data();
        self.content();
    }

    /// Answers everything up to DATA with a yes.
    pub(crate) fn accept_until_data(&mut self) {
        self.say("220 mx.test LMTP ready");
        while let Some(line) = self.line() {
            if line == "DATA" {
                return self.say("354 go on");
            }
            self.say("250 2.0.0 Ok");
        }
    }

    /// Wakes the test.
    pub(crate) fn tell(&self) {
        let _ = self.tell.send(());
    }
}

/// What came of running the program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Nothing that a terminal would obey is ever printed.
    pub(crate) fn of(output: Output) -> Self {
        let text = |octets| {
            let text = String::from_utf8(octets).expect("UTF-8");
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "raw control character in {text:?}");
            text
        };
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The one object on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Outcome and phase of each recipient in that object.
    pub(crate) fn outcomes(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let json = self.json();
        let recipients = json["recipients"].as_array().unwrap();
        recipients.iter().map(|one| (text(&one["outcome"]), text(&one["phase"]))).collect()
    }

    pub(crate) fn assert_outcomes(&self, expected: &[(&str, &str)]) {
        let outcomes = self.outcomes();
        let outcomes: Vec<_> = outcomes.iter().map(|(outcome, phase)| (outcome.as_str(), phase.as_str())).collect();
        assert_eq!(outcomes, expected, "{self:?}");
    }
}

/// The program, its standard input empty.
pub(crate) fn lmtp<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lmtp"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `lmtp send URL --from ann@x --to R1 --to R2 … --timeout 5`, and more.
pub(crate) fn send(server: &Server, recipients: &[&str], more: &[&str]) -> Command {
    let mut command = lmtp(["send", &server.url, "--from", "ann@x", "--timeout", "5"]);
    for recipient in recipients {
        command.args(["--to", recipient]);
    }
    command.args(more);
    command
}

pub(crate) fn run(command: &mut Command) -> Run {
    Run::of(command.output().unwrap())
}

/// Runs the program with this on its standard input, a pipe.
pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Run {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may end without reading all of it.
    let writer = thread::spawn(move || drop(pipe.write_all(&input)));
    let run = Run::of(child.wait_with_output().unwrap());
    writer.join().unwrap();
    run
}

/// Sends a signal.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A message that needs nothing.
pub(crate) const MESSAGE: &str = "From: ann@x\r\nSubject: hello\r\n\r\nHello.\r\n";
