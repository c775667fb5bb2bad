//! A server on a real socket that does as it is told.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// One thing that a [`ScriptedServer`] does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Writes these octets.
    Say(&'static str),
    /// Reads a line.
    Line,
    /// Reads lines up to the dot that ends the data.
    Data,
    /// Reads to the end of the stream.
    Eof,
    /// Does nothing for so long.
    Sleep(Duration),
}

/// A server that takes one connection, does as it is told and closes.
#[derive(Debug)]
pub struct ScriptedServer {
    thread: JoinHandle<Vec<u8>>,
}

impl ScriptedServer {
    /// On a Unix socket.
    pub fn on_unix(path: &Path, acts: Vec<Act>) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        Self { thread: thread::spawn(move || play(listener.accept().expect("a connection").0, acts)) }
    }

    /// On a free TCP port of the loopback interface.
    pub fn on_tcp(acts: Vec<Act>) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        (Self { thread: thread::spawn(move || play(listener.accept().expect("a connection").0, acts)) }, address)
    }

    /// Waits for it to be done; gives every octet it read.
    pub fn heard(self) -> Vec<u8> {
        self.thread.join().expect("a server that did as it was told")
    }
}

fn play<S: Read + Write>(stream: S, acts: Vec<Act>) -> Vec<u8> {
    let mut stream = BufReader::new(stream);
    let mut heard = Vec::new();
    for act in acts {
        match act {
            Act::Say(text) => {
                // A client that has gone away is not the server's fault.
                let _ = stream.get_mut().write_all(text.as_bytes());
            }
            Act::Line => {
                let _ = stream.read_until(b'\n', &mut heard);
            }
            Act::Data => loop {
                let start = heard.len();
                if !matches!(stream.read_until(b'\n', &mut heard), Ok(1..)) || &heard[start..] == b".\r\n" {
                    break;
                }
            },
            Act::Sleep(time) => thread::sleep(time),
            Act::Eof => match stream.read_to_end(&mut heard) {
                Ok(_) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
            },
        }
    }
    heard
}
