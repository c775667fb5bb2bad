//! What a transaction leaves behind: nothing.

use core::fmt::Debug;

use super::reference::Reference;
use super::{LOGIN, identity};
use crate::server::{Ask, Event, Server};
use crate::{Instant, Machine, Output};

/// Checks that a session in which no transaction is open is what a fresh one would
/// be that has come as far: greeted or turned away, encrypted, authenticated, named.
///
/// Every field of the machine is named here, so that a new one does not compile
/// before somebody has decided whether it outlives a transaction.
pub(super) fn compare(server: &mut Server, reference: &Reference, now: Instant) {
    let mut fresh = fresh(server, reference, now);
    // As a driver does before it reads.
    let (_, _) = (server.input(), fresh.input());
    let Server {
        // The same for both.
        config: _,
        // What a transaction may not leave behind.
        state,
        session,
        transaction,
        verdicts,
        chunk,
        lines,
        input,
        has_large_input,
        queue,
        events,
        open,
        deadline,
        error,
        // These only tell one wait, one question from the next.
        questions: _,
        commands: _,
        flushes: _,
        // A session's own, from its beginning to its end.
        next_transaction,
        mails,
        errors,
        drained,
        shutting_down,
        eof,
        write_closed,
        // The time that the whole session takes: tests of its own hold it.
        watch: _,
        // Whether AUTH was ever said: what a transcript shows depends on it.
        heard_auth: _,
    } = &*server;
    same("state", state, &fresh.state);
    same("session", session, &fresh.session);
    assert!(transaction.is_none() && fresh.transaction.is_none(), "a transaction is left: {transaction:?}");
    same("verdicts", verdicts, &fresh.verdicts);
    same("chunk", chunk, &fresh.chunk);
    same("lines", lines, &fresh.lines);
    same("input", input, &fresh.input);
    same("has_large_input", has_large_input, &fresh.has_large_input);
    same("queue", &queue.len(), &fresh.queue.len());
    same("events", events, &fresh.events);
    same("open", open, &fresh.open);
    same("deadline", &deadline.at(), &fresh.deadline.at());
    same("error", error, &fresh.error);

    same("next_transaction", &next_transaction.0, &reference.transactions);
    same("mails", mails, &reference.mails);
    same("errors", errors, &reference.errors);
    same("drained", drained, &(reference.drained as u64));
    same("shutting_down", shutting_down, &reference.shutting_down);
    same("eof, write_closed", &(*eof, *write_closed), &(reference.eof, false));
}

fn same<T: PartialEq + Debug>(field: &str, left: &T, fresh: &T) {
    assert!(left == fresh, "{field} is left as {left:?}; in a fresh session it is {fresh:?}");
}

/// A new session, brought to where the reference says that the other one stands.
fn fresh(like: &Server, reference: &Reference, now: Instant) -> Server {
    let mut server = Server::new(like.config.clone());
    let mut say = |octets: &[u8]| {
        server.input().extend_from_slice(octets);
        run(&mut server, reference, now);
    };
    say(b"");
    if reference.secured && !reference.setting.secured {
        say(b"LHLO client.example\r\n");
        say(b"STARTTLS\r\n");
    }
    if reference.lhlo {
        say(b"LHLO client.example\r\n");
    }
    if reference.identity {
        say(LOGIN.as_bytes());
    }
    server
}

fn run(server: &mut Server, reference: &Reference, now: Instant) {
    loop {
        match server.poll_output(now).expect("a fresh session goes well") {
            Output::Event(Event::Question(question)) => {
                let done = match question.ask() {
                    Ask::Connect if reference.turned_away => server.answer(question, super::reply(550, "no")),
                    Ask::Auth(..) => server.authenticated(question, identity()),
                    _ => server.accept(question),
                };
                done.expect("the question is open");
            }
            Output::Event(_) => {}
            Output::Transmit => drop(super::written(server)),
            Output::StartTls => server.handle_tls(),
            Output::Receive => return,
            other => panic!("{other:?} in a fresh session"),
        }
    }
}

#[test]
#[should_panic(expected = "a transaction is left")]
fn a_transaction_that_is_left_is_found() {
    let setting = super::settings().remove(0);
    let mut reference = Reference::new(setting);
    let mut server = Server::new(super::config(setting));
    run(&mut server, &reference, Instant::ORIGIN);
    reference.lhlo = true;
    for line in ["LHLO client.example\r\n", "MAIL FROM:<ann@x>\r\n"] {
        server.input().extend_from_slice(line.as_bytes());
        run(&mut server, &reference, Instant::ORIGIN);
    }
    server.state = crate::server::State::Ready;
    compare(&mut server, &reference, Instant::ORIGIN);
}
