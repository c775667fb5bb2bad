//! The driver of the book's guide for event loops, and a loop with a client and a server in it.
//! `tests/book.rs` checks that the guide shows pieces of this file.

#![cfg(unix)]

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant as Clock};

use lmtp_proto::bytes::Buf;
use lmtp_proto::server::{self, Ask, Server};
use lmtp_proto::{Client, Config, Content, Envelope, Event, Instant, Machine, Outcome, Output, RecipientId, Reply};

/// A machine on a stream that never blocks.
struct Driver<M, S> {
    machine: M,
    stream: S,
}

/// What a driver waits for. Call it again when that is so, and when `poll_timeout` has passed.
#[derive(Debug, PartialEq)]
enum Next<E> {
    Event(E),
    Readable,
    Writable,
    Time,
    Closed,
}

impl<M: Machine, S: Read + Write> Driver<M, S> {
    /// Goes on as far as it can without waiting.
    fn go_on(&mut self, now: Instant) -> Result<Next<M::Event>, M::Error> {
        loop {
            let late = |machine: &M| machine.poll_timeout().is_some_and(|deadline| deadline <= now);
            match self.machine.poll_output(now)? {
                Output::Event(event) => return Ok(Next::Event(event)),
                Output::Transmit => match self.stream.write(self.machine.transmit().chunk()) {
                    Ok(written @ 1..) => self.machine.transmit().advance(written),
                    Err(error) if passes(&error) && !late(&self.machine) => return Ok(Next::Writable),
                    Err(error) if passes(&error) => _ = self.read(now),
                    Ok(0) | Err(_) => self.machine.handle_write_closed(),
                },
                Output::Receive => {
                    if !self.read(now) && !late(&self.machine) {
                        return Ok(Next::Readable);
                    }
                }
                Output::Wait if late(&self.machine) => self.machine.handle_timeout(now),
                Output::Wait => return Ok(Next::Time),
                Output::StartTls => self.machine.handle_eof(), // put `Tls` around it to have it
                Output::Closed => return Ok(Next::Closed),
            }
        }
    }

    /// `false` if there is nothing to read; then, and only then, the machine looks at its deadline.
    fn read(&mut self, now: Instant) -> bool {
        let input = self.machine.input();
        let (filled, room) = (input.len(), input.capacity());
        input.resize(room, 0);
        let read = self.stream.read(&mut input[filled..]);
        input.truncate(filled + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(1..) => {}
            Err(error) if passes(&error) => {
                self.machine.handle_timeout(now);
                return false;
            }
            Ok(0) | Err(_) => self.machine.handle_eof(),
        }
        true
    }
}

fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A client and a server in one thread, and nobody ever waits for the other.
#[test]
fn both_in_one_loop() -> Result<(), Box<dyn Error>> {
    let (client, server) = UnixStream::pair()?;
    client.set_nonblocking(true)?;
    server.set_nonblocking(true)?;
    let mut client = Driver { machine: Client::new(Config::default()), stream: client };
    let mut server = Driver { machine: Server::new(server::Config::default()), stream: server };
    let to = ["bob@example.org".parse()?, "eve@example.org".parse()?];
    client.machine.deliver(Envelope::new("ann@example.org".parse()?, to)?, Content::UNKNOWN)?;
    let (began, mut turns, mut over) = (Clock::now(), 0, false);
    loop {
        let now = Instant::after_origin(began.elapsed());
        turns += 1;
        assert!(turns < 10_000, "it turns in circles");
        match client.go_on(now)? {
            Next::Event(Event::BodyWanted(_)) => {
                client.machine.body("Subject: hi\r\n\r\nHello!\r\n".into())?;
                client.machine.end()?;
            }
            Next::Event(Event::Done(_)) => client.machine.quit()?,
            Next::Closed => {
                over = true;
                // Only one that has closed its stream has gone.
                client.stream.shutdown(std::net::Shutdown::Both)?;
            }
            _ => {}
        }
        match server.go_on(now)? {
            Next::Event(server::Event::Question(question)) => match question.ask() {
                Ask::Rcpt(_, _, path, _) if path.to_string().starts_with("eve@") => {
                    server.machine.answer(question, Reply::no_such_user())?;
                }
                _ => server.machine.accept(question)?,
            },
            Next::Event(server::Event::End(transaction)) => {
                server.machine.verdict(transaction, RecipientId(0), Reply::stored())?;
            }
            Next::Closed if over => break,
            _ => {}
        }
    }
    let report = client.machine.take_report().ok_or("no report")?;
    let outcomes: Vec<Outcome> = report.recipients().map(|recipient| recipient.outcome()).collect();
    assert_eq!(outcomes, [Outcome::Delivered, Outcome::Permanent]);
    Ok(())
}

/// A server that says nothing is waited for until its time is up, and not longer.
#[test]
fn a_deadline_passes() -> Result<(), Box<dyn Error>> {
    let (stream, _server) = UnixStream::pair()?;
    stream.set_nonblocking(true)?;
    let mut config = Config::default();
    config.timeouts.greeting = Duration::from_millis(30);
    let mut client = Driver { machine: Client::new(config), stream };
    let began = Clock::now();
    assert_eq!(client.go_on(Instant::ORIGIN)?, Next::Readable);
    thread::sleep(Duration::from_millis(40));
    let error = client.go_on(Instant::after_origin(began.elapsed())).unwrap_err();
    assert!(matches!(error, lmtp_proto::Error::TimedOut { .. }), "{error:?}");
    Ok(())
}
