//! The driver of the book's third chapter, and what is said of it there. The chapter shows pieces of this
//! file; `tests/book.rs` checks that they are.

#![cfg(unix)]

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant as Clock};

use lmtp_proto::bytes::Buf;
use lmtp_proto::server::{self, Ask, Server};
use lmtp_proto::{
    Client, Config, Content, Envelope, Event, Instant, Machine, Outcome, Output, RecipientId, Reply, Report, Timeouts,
};

/// A machine on a socket.
struct Connection<M> {
    machine: M,
    stream: UnixStream,
    began: Clock,
}

impl<M: Machine> Connection<M> {
    /// The next event; `None` when the stream is to be closed.
    fn next(&mut self) -> Result<Option<M::Event>, M::Error> {
        loop {
            match self.machine.poll_output(self.now())? {
                Output::Event(event) => return Ok(Some(event)),
                Output::Transmit => match self.write() {
                    Ok(written) => self.machine.transmit().advance(written),
                    Err(error) if passes(&error) => self.read(),
                    Err(_) => self.machine.handle_write_closed(),
                },
                Output::Receive => self.read(),
                Output::Wait => {
                    thread::sleep(self.time_left().unwrap_or_default());
                    self.machine.handle_timeout(self.now());
                }
                Output::StartTls => self.machine.handle_eof(), // there is no TLS here
                Output::Closed => return Ok(None),
            }
        }
    }

    fn write(&mut self) -> io::Result<usize> {
        self.stream.set_write_timeout(self.time_left())?;
        match self.stream.write(self.machine.transmit().chunk())? {
            0 => Err(ErrorKind::WriteZero.into()),
            written => Ok(written),
        }
    }

    fn read(&mut self) {
        let time = self.time_left();
        let input = self.machine.input();
        let (filled, room) = (input.len(), input.capacity());
        input.resize(room, 0);
        let read = self.stream.set_read_timeout(time).and_then(|()| self.stream.read(&mut input[filled..]));
        input.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(1..) => {}
            Err(error) if passes(&error) => self.machine.handle_timeout(self.now()),
            Ok(0) | Err(_) => self.machine.handle_eof(),
        }
    }

    /// Never zero, which the system does not take; and so a read whose time is up is still tried.
    fn time_left(&self) -> Option<Duration> {
        let left = self.machine.poll_timeout()?.saturating_since(self.now());
        Some(left.max(Duration::from_millis(1)))
    }

    fn now(&self) -> Instant {
        Instant::after_origin(self.began.elapsed())
    }
}

/// Whether the stream is as good as before.
fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Sends one message to three recipients, and takes leave.
fn send(stream: UnixStream, config: Config) -> Result<Report, Box<dyn Error>> {
    let to = ["bob@example.org".parse()?, "eve@example.org".parse()?, "joe@example.org".parse()?];
    let envelope = Envelope::new("ann@example.org".parse()?, to)?;
    let mut connection = Connection { machine: Client::new(config), stream, began: Clock::now() };
    connection.machine.deliver(envelope, Content::UNKNOWN)?;
    while let Ok(Some(event)) = connection.next() {
        match event {
            Event::BodyWanted(_) => {
                connection.machine.body("Subject: hi\r\n\r\n.\r\n".into())?;
                connection.machine.end()?;
            }
            Event::Done(_) => break,
            _ => {}
        }
    }
    // Whether it is done or the connection has failed: the report is there.
    let report = connection.machine.take_report().ok_or("no report")?;
    if connection.machine.quit().is_ok() {
        while let Ok(Some(_)) = connection.next() {}
    }
    Ok(report)
}

/// Serves one client: Eve has no mailbox, Joe's is full, and nobody else's ever is.
fn serve(stream: UnixStream) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let mut connection = Connection { machine: Server::new(server::Config::default()), stream, began: Clock::now() };
    let (mut recipients, mut message) = (Vec::new(), Vec::new());
    while let Some(event) = connection.next()? {
        match event {
            server::Event::Question(question) => {
                let unknown = match question.ask() {
                    Ask::Rcpt(_, _, path, _) => {
                        let unknown = path.to_string().starts_with("eve@");
                        recipients.extend((!unknown).then(|| path.clone()));
                        unknown
                    }
                    _ => false,
                };
                match unknown {
                    true => connection.machine.answer(question, Reply::new(550, None, "5.1.1 No such user")?)?,
                    false => connection.machine.accept(question)?,
                }
            }
            server::Event::Content(_, octets) => message.extend_from_slice(&octets),
            server::Event::End(transaction) => {
                for (place, path) in (0..).zip(recipients.drain(..)) {
                    let verdict = match path.to_string().starts_with("joe@") {
                        true => Reply::new(452, None, "4.2.2 Mailbox is full")?,
                        false => Reply::new(250, None, "2.0.0 Saved")?,
                    };
                    connection.machine.verdict(transaction, RecipientId(place), verdict)?;
                }
            }
            _ => {}
        }
    }
    Ok(message)
}

fn outcomes(report: &Report) -> Vec<Outcome> {
    report.recipients().map(|recipient| recipient.outcome()).collect()
}

#[test]
fn three_recipients_three_ends() {
    let (client, server) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || serve(server));
    let report = send(client, Config::default()).unwrap();
    assert_eq!(outcomes(&report), [Outcome::Delivered, Outcome::Permanent, Outcome::Temporary]);
    assert_eq!(server.join().unwrap().unwrap(), b"Subject: hi\r\n\r\n.\r\n");
}

#[test]
fn a_silent_server_costs_no_more_than_its_time() {
    let (client, _silent) = UnixStream::pair().unwrap();
    let mut config = Config::default();
    config.timeouts = Timeouts::all(Duration::from_millis(20));
    let report = send(client, config).unwrap();
    assert_eq!(outcomes(&report), [Outcome::Unsent; 3]);
    assert_eq!(report.error().unwrap().message(), "timed out before the greeting");
}

#[test]
fn what_was_said_before_the_end_counts() {
    let (client, mut server) = UnixStream::pair().unwrap();
    let mut connection = Connection { machine: Client::new(Config::default()), stream: client, began: Clock::now() };
    server.write_all(b"220 mx.example.org ready\r\n").unwrap();
    assert_eq!(connection.machine.poll_output(connection.now()), Ok(Output::Receive));
    connection.read();
    // LHLO is due. Before it leaves, the server goes away.
    server.write_all(b"421 4.3.2 Shutting down\r\n").unwrap();
    drop(server);
    let error = connection.next().unwrap_err();
    assert_eq!(error.reply().unwrap().to_string(), "421 4.3.2 Shutting down");
}

#[test]
fn a_question_that_is_dropped_is_answered_when_its_time_is_up() {
    let (mut client, server) = UnixStream::pair().unwrap();
    let mut config = server::Config::default();
    config.timeouts = Timeouts::all(Duration::from_millis(20));
    let mut connection = Connection { machine: Server::new(config), stream: server, began: Clock::now() };
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(connection.next(), Ok(Some(server::Event::Question(_)))));
    let _ = connection.next(); // waits, for there is nothing to read
    drop(connection);
    let mut heard = String::new();
    client.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "451 4.3.0 Internal error, try again later\r\n");
}
