//! The five rules, kept by this loop, on a stream that does as it is told.

use std::cell::Cell;
use std::collections::VecDeque;

use lmtp_proto::client::{Client, Config, Event};
use lmtp_proto::{Content, Envelope, Error, Phase, ReversePath};

use super::*;

/// What happens at a read.
enum Told {
    Say(&'static [u8]),
    Fail(ErrorKind),
    /// Fills whatever room is offered.
    Flood,
}

/// A stream that does as it is told and notes what is done to it.
#[derive(Default)]
struct Fake {
    reads: VecDeque<Told>,
    /// How a write fails; when there is none, it succeeds.
    write_fails: VecDeque<Option<ErrorKind>>,
    /// How much of a write is taken.
    takes: usize,
    /// Whether a write that does not wait finds no room.
    is_full: bool,
    writes: Vec<Vec<u8>>,
    rooms: Vec<usize>,
    /// The bound of reads, and of writes.
    bounds: [Cell<Option<Duration>>; 2],
    /// What a look without waiting finds.
    at_once: VecDeque<&'static [u8]>,
    /// The bound that each read and write had, and how often one was set.
    bounded: Vec<Option<Duration>>,
    set: Cell<usize>,
}

impl Stream for Fake {
    fn receive_at_once(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.at_once.pop_front().map_or(Err(ErrorKind::WouldBlock.into()), |octets| {
            room[..octets.len()].copy_from_slice(octets);
            Ok(octets.len())
        })
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.bounded.push(self.bounds[0].get());
        self.rooms.push(room.len());
        match self.reads.pop_front() {
            None => Ok(0),
            Some(Told::Fail(kind)) => Err(kind.into()),
            Some(Told::Flood) => {
                room.fill(b'x');
                Ok(room.len())
            }
            Some(Told::Say(octets)) => {
                room[..octets.len()].copy_from_slice(octets);
                Ok(octets.len())
            }
        }
    }

    fn send_at_once(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.is_full {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.send(slices)
    }

    fn send(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.bounded.push(self.bounds[1].get());
        if let Some(Some(kind)) = self.write_fails.pop_front() {
            return Err(kind.into());
        }
        let mut octets = slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>();
        octets.truncate(self.takes.max(1));
        self.writes.push(octets.clone());
        Ok(octets.len())
    }

    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set.set(self.set.get() + 1);
        self.bounds[0].set(Some(timeout));
        Ok(())
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.set.set(self.set.get() + 1);
        self.bounds[1].set(Some(timeout));
        Ok(())
    }
}

fn connection(reads: impl IntoIterator<Item = Told>) -> Connection<Client, Fake> {
    let mut client = Client::new(Config::default());
    let to = ["bob@example.org".parse().unwrap()];
    let envelope = Envelope::new(ReversePath::Null, to).unwrap();
    client.deliver(envelope, Content::UNKNOWN).unwrap();
    let fake = Fake { reads: reads.into_iter().collect(), takes: usize::MAX, ..Fake::default() };
    Connection::new(client, fake)
}

/// Runs to the end of the transaction or the error; the message is `Hi`.
fn run(connection: &mut Connection<Client, Fake>) -> Result<(), Error> {
    let mut given = false;
    loop {
        match connection.next(|_| {})? {
            Next::Event(Event::BodyWanted(_)) if given => connection.machine.end().unwrap(),
            Next::Event(Event::BodyWanted(_)) => {
                given = true;
                connection.machine.body("Hi\r\n".into()).unwrap();
            }
            Next::Event(Event::Done(_)) | Next::Closed => return Ok(()),
            Next::Event(_) | Next::Quiet => {}
        }
    }
}

fn whole_session() -> Vec<Told> {
    [&b"220 mx\r\n"[..], b"250-mx\r\n250 PIPELINING\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n", b"250 2.0.0 saved\r\n"]
        .map(Told::Say)
        .into()
}

#[test]
fn a_group_leaves_in_one_write_and_the_dot_with_the_body() {
    let mut connection = connection(whole_session());
    run(&mut connection).unwrap();
    let writes: Vec<_> = connection.stream.writes.iter().map(|write| String::from_utf8_lossy(write)).collect();
    assert_eq!(writes, ["LHLO localhost\r\n", "MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n", "Hi\r\n.\r\n"]);
    assert!(connection.machine.take_report().unwrap().all_delivered());
}

#[test]
fn short_writes_and_signals_change_nothing() {
    let mut reads = whole_session();
    reads.insert(1, Told::Fail(ErrorKind::Interrupted));
    reads.insert(3, Told::Fail(ErrorKind::Interrupted));
    let mut connection = connection(reads);
    connection.stream.takes = 3;
    connection.stream.write_fails = [None, Some(ErrorKind::Interrupted), None].into();
    run(&mut connection).unwrap();
    let written = connection.stream.writes.concat();
    assert!(written.ends_with(b"DATA\r\nHi\r\n.\r\n"), "{}", written.escape_ascii());
    assert!(connection.machine.take_report().unwrap().all_delivered());
}

/// Rule 3.
#[test]
fn every_read_and_write_is_bounded() {
    let mut connection = connection(whole_session());
    run(&mut connection).unwrap();
    let stream = &connection.stream;
    assert_eq!(stream.bounded.len(), 4 + 3, "reads and writes");
    assert!(stream.bounded.iter().all(|bound| bound.is_some_and(|bound| bound <= TICK)), "{:?}", stream.bounded);
    assert_eq!(stream.set.get(), 2, "a bound is set once, and not for each");
}

/// Rule 3: a deadline that is nearer than the usual bound is kept to the point, and the
/// bound is as before when the next is farther off.
#[test]
fn a_near_deadline_has_a_bound_of_its_own() {
    let mut connection = connection(whole_session());
    let mut config = Config::default();
    config.timeouts.greeting = Duration::from_millis(300);
    config.timeouts.lhlo = Duration::from_millis(200);
    connection.machine = Client::new(config);
    let to = ["bob@example.org".parse().unwrap()];
    connection.machine.deliver(Envelope::new(ReversePath::Null, to).unwrap(), Content::UNKNOWN).unwrap();
    run(&mut connection).unwrap();
    let bounded: Vec<_> = connection.stream.bounded.iter().map(|bound| bound.unwrap()).collect();
    assert!(bounded[0] <= Duration::from_millis(300) && bounded[0] > Duration::from_millis(100), "{bounded:?}");
    assert!(bounded[1..3].iter().all(|bound| *bound <= Duration::from_millis(200)), "{bounded:?}");
    assert!(bounded[3..].iter().all(|bound| *bound == TICK), "{bounded:?}");
}

/// Rule 3: a stream that says it is too late too early is asked again; the
/// deadline of the machine decides.
#[test]
fn an_early_timer_is_no_timeout() {
    let mut reads = whole_session();
    reads.insert(0, Told::Fail(ErrorKind::WouldBlock));
    reads.insert(0, Told::Fail(ErrorKind::TimedOut));
    run(&mut connection(reads)).unwrap();
}

/// Rule 4.
#[test]
fn after_a_failed_write_the_peer_has_the_last_word() {
    let mut reads = whole_session();
    reads.truncate(2);
    reads.push(Told::Say(b"421 4.3.2 shutting down\r\n"));
    let mut connection = connection(reads);
    connection.stream.write_fails = [None, Some(ErrorKind::BrokenPipe)].into();
    let error = run(&mut connection).unwrap_err();
    assert!(matches!(error, Error::Closing { phase: Phase::Mail, .. }), "{error:?}");
    assert_eq!(connection.lost.unwrap().kind(), ErrorKind::BrokenPipe);
}

/// Rule 4: however many reads it takes.
#[test]
fn after_a_failed_write_every_answer_is_read() {
    let mut reads = whole_session();
    reads.truncate(2);
    reads.extend([&b"250 ok\r\n"[..], b"550 5.1.1 who\r\n", b"503 5.5.1 nobody\r\n"].map(Told::Say));
    let mut connection = connection(reads);
    // The group leaves in two writes, of which the second fails after the
    // answers were on their way.
    connection.stream.takes = b"MAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\n".len();
    connection.stream.write_fails = [None, None, Some(ErrorKind::BrokenPipe)].into();
    let error = run(&mut connection).unwrap_err();
    // DATA was never written, so that its 503 answers nothing.
    assert!(matches!(error, Error::Unsolicited { phase: Phase::Data, .. }), "{error:?}");
    let report = connection.machine.take_report().unwrap();
    assert_eq!(report.recipients().next().unwrap().reply().unwrap().to_string(), "550 5.1.1 who");
}

/// Rule 3: a reply that is there when the time is up has come in time.
#[test]
fn what_is_there_when_the_time_is_up_counts() {
    let mut reads = whole_session();
    reads.truncate(3);
    reads.push(Told::Fail(ErrorKind::WouldBlock));
    let mut connection = connection(reads);
    // Two looks find nothing: before MAIL, and before the end of the data.
    connection.stream.at_once = VecDeque::new();
    let mut given = false;
    loop {
        match connection.next(|_| {}).unwrap() {
            Next::Event(Event::BodyWanted(_)) if given => {
                connection.machine.end().unwrap();
                break;
            }
            Next::Event(Event::BodyWanted(_)) => {
                given = true;
                connection.machine.body("Hi\r\n".into()).unwrap();
            }
            _ => {}
        }
    }
    // The look before the end finds nothing, the one when the time is up does.
    let written = connection.stream.writes.len();
    while connection.stream.writes.len() == written {
        match connection.machine.poll_output(connection.now()).unwrap() {
            Output::Receive => connection.machine.handle_timeout(connection.now()),
            Output::Transmit => connection.write(),
            _ => {}
        }
    }
    connection.stream.at_once = [&b"250 2.0.0 saved\r\n"[..]].into();
    run(&mut connection).unwrap();
    assert!(connection.machine.take_report().unwrap().all_delivered());
}

/// A reply that nobody asked for, found before the next message: nothing is sent.
#[test]
fn a_reply_before_the_message_is_found() {
    let mut connection = connection(whole_session());
    connection.stream.at_once = [&b"250 surplus\r\n"[..]].into();
    let error = run(&mut connection).unwrap_err();
    assert!(matches!(error, Error::Unsolicited { phase: Phase::Mail, .. }), "{error:?}");
    assert_eq!(connection.stream.writes.len(), 1, "LHLO alone was said");
}

/// Rule 5.
#[test]
fn an_error_repeats_and_nothing_is_read_or_written_for_it() {
    let mut connection = connection([Told::Say(b"rubbish\r\n"), Told::Say(b"220 mx\r\n")]);
    let error = run(&mut connection).unwrap_err();
    assert_eq!(run(&mut connection), Err(error));
    assert_eq!(connection.stream.rooms.len(), 1);
    assert!(connection.stream.writes.is_empty());
}

/// Back-pressure: no more is read at once than the machine has room for.
#[test]
fn a_flood_is_read_in_small_pieces() {
    let mut connection = connection((0..100).map(|_| Told::Flood));
    let error = run(&mut connection).unwrap_err();
    assert!(matches!(error, Error::Limit { .. }), "{error:?}");
    assert!(connection.stream.rooms.iter().all(|&room| (1..=8192).contains(&room)), "{:?}", connection.stream.rooms);
}

/// Rule 3: where no time is left a write is tried once, without waiting; where there is
/// no room either, the time is over.
#[test]
fn a_write_without_time_is_tried_at_once() {
    for is_full in [false, true] {
        let mut connection = connection(whole_session());
        let mut config = Config::default();
        config.timeouts.mail = Duration::ZERO;
        connection.machine = Client::new(config);
        let to = ["bob@example.org".parse().unwrap()];
        connection.machine.deliver(Envelope::new(ReversePath::Null, to).unwrap(), Content::UNKNOWN).unwrap();
        connection.stream.is_full = is_full;
        assert_eq!(run(&mut connection), Err(Error::TimedOut { phase: Phase::Mail }));
        assert_eq!(connection.stream.writes.len(), if is_full { 1 } else { 2 }, "LHLO, and MAIL's group");
    }
}
