//! The server and applications that do as they should not, in memory and on virtual
//! time.

#[allow(unreachable_pub, reason = "a module of a test")]
mod served;

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use lmtp_futures::{Handler, Message, Server, Session, Verdicts};
use lmtp_proto::server::{BodyError, Config, Ending, Peer, Stale};
use lmtp_proto::value::{LhloName, MailParams, RcptParams};
use lmtp_proto::{ForwardPath, RecipientId, Reply, ReversePath};
use served::{Served, rcpts};

/// Something that a test opens and an application waits for.
#[derive(Clone, Default)]
struct Gate(Arc<(AtomicBool, Mutex<Vec<Waker>>)>);

impl Gate {
    fn open(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        self.0.1.lock().unwrap().drain(..).for_each(Waker::wake);
    }

    async fn pass(&self) {
        poll_fn(|context| {
            if self.0.0.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            self.0.1.lock().unwrap().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What an application saw.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Notes when it is dropped.
struct Dropped(Log, &'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

fn reply(code: u16) -> Reply {
    Reply::new(code, None, "said").unwrap()
}

fn config(set: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default();
    config.timeouts.handler = std::time::Duration::from_secs(10);
    config.timeouts.verdict = std::time::Duration::from_secs(20);
    set(&mut config);
    config
}

/// An application whose delivery is a function.
struct Delivering<F> {
    deliver: F,
    log: Log,
}

impl<F, R> Session for Delivering<F>
where
    F: FnMut(Message, Verdicts) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    async fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        Ok(())
    }

    fn deliver(&mut self, message: Message, verdicts: Verdicts) -> impl Future<Output = ()> + Send {
        (self.deliver)(message, verdicts)
    }

    fn over(&mut self, ending: &Ending) {
        self.log.note(format!("over {ending:?}"));
    }
}

/// Serves one client with such an application.
fn delivering<F, R>(log: &Log, deliver: F) -> Served
where
    F: FnMut(Message, Verdicts) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let log = log.clone();
    Served::with(config(|_| ()), move |_: &Peer| Delivering { deliver: deliver.clone(), log: log.clone() })
}

const LETTER: &str = "Subject: hi\r\n\r\nhello\r\n.\r\n";

struct Nothing;
impl Session for Nothing {}

struct Everybody;
impl Session for Everybody {
    async fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        Ok(())
    }
}

#[test]
fn by_default_nobody_is_known_and_nothing_taken() {
    let mut served = Served::new(|_: &Peer| Nothing);
    assert!(served.heard().starts_with("220 localhost"));
    assert!(served.say("LHLO c\r\n").starts_with("250-localhost"));
    assert_eq!(served.say("MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"), "250 2.1.0 Sender ok\r\n550 5.1.1 No such user\r\n");

    let mut served = Served::new(|_: &Peer| Everybody);
    served.open(2);
    assert_eq!(served.say(LETTER), "451 4.3.0 Internal error, try again later\r\n".repeat(2));
    assert_eq!(served.say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
    assert!(served.is_over() && served.wire().closed);
}

#[test]
fn a_message_comes_whole_and_its_replies_in_one_write() {
    let log = Log::default();
    let inner = log.clone();
    let mut served = delivering(&log, move |mut message, verdicts| {
        let log = inner.clone();
        async move {
            log.note(format!("{} {:?}", message.envelope.from(), message.envelope.recipients().len()));
            log.note(String::from_utf8_lossy(&message.body.read_all().await.unwrap()));
            assert_eq!(message.body.next().await, Ok(None));
            verdicts.give_rest(&Reply::stored());
        }
    });
    served.open(3);
    let (writes, polls, wakes) = (served.wire().writes.len(), served.polls, served.wakes());
    assert_eq!(served.say(LETTER), "250 2.0.0 Message stored\r\n".repeat(3));
    assert_eq!(log.take(), ["a@x 3", "Subject: hi\r\n\r\nhello\r\n", "over Answered"]);
    assert_eq!(served.wire().writes.len(), writes + 1, "three replies in one write");
    assert_eq!((served.polls, served.wakes()), (polls + 1, wakes), "nobody is woken for what is done in one turn");
}

#[test]
fn a_verdict_leaves_at_once_in_the_order_of_the_recipients() {
    let (log, gates) = (Log::default(), [(); 3].map(|()| Gate::default()));
    let [one, two, three] = gates.clone();
    let mut served = delivering(&log, move |mut message, verdicts| {
        let (one, two, three) = (one.clone(), two.clone(), three.clone());
        async move {
            message.body.read_all().await.unwrap();
            one.pass().await;
            verdicts.give(RecipientId(1), reply(552)).unwrap();
            two.pass().await;
            verdicts.give(RecipientId(0), reply(250)).unwrap();
            assert_eq!(verdicts.give(RecipientId(0), reply(550)), Err(Stale), "the first verdict stands");
            assert_eq!(verdicts.give(RecipientId(3), reply(550)), Err(Stale), "nobody has that number");
            three.pass().await;
            verdicts.give(RecipientId(2), reply(452)).unwrap();
            pending::<()>().await;
        }
    });
    served.open(3);
    assert_eq!(served.say(LETTER), "");
    gates[0].open();
    served.run();
    assert_eq!(served.heard(), "", "the second recipient waits for the first");
    gates[1].open();
    served.run();
    assert_eq!(served.heard(), "250 2.0.0 said\r\n552 5.0.0 said\r\n", "while the application still runs");
    gates[2].open();
    served.run();
    assert_eq!(served.heard(), "452 4.0.0 said\r\n");
}

#[test]
fn verdicts_before_the_content_wait_for_its_end() {
    let log = Log::default();
    let mut served = delivering(&log, |_, verdicts| async move {
        verdicts.give(RecipientId(1), reply(250)).unwrap();
        verdicts.give(RecipientId(0), reply(550)).unwrap();
    });
    served.open(2);
    assert_eq!(served.say("Subject: hi\r\n"), "");
    assert_eq!(served.say("\r\n.\r\n"), "550 5.0.0 said\r\n250 2.0.0 said\r\n");
}

#[test]
fn who_returns_without_verdicts_is_answered_for() {
    let log = Log::default();
    let mut served = delivering(&log, |_, verdicts| async move {
        verdicts.give(RecipientId(1), reply(250)).unwrap();
    });
    served.open(3);
    let internal = "451 4.3.0 Internal error, try again later\r\n";
    assert_eq!(served.say(LETTER), format!("{internal}250 2.0.0 said\r\n{internal}"));
    assert_eq!(log.take(), ["over Answered"]);
}

#[test]
fn verdicts_may_come_from_elsewhere() {
    let (log, place) = (Log::default(), Arc::new(Mutex::new(None)));
    let kept = Arc::clone(&place);
    let mut served = delivering(&log, move |message, verdicts| {
        *kept.lock().unwrap() = Some((message, verdicts));
        async {}
    });
    served.open(2);
    assert_eq!(served.say(LETTER), "");
    let (mut message, verdicts): (Message, Verdicts) = place.lock().unwrap().take().unwrap();
    let body = std::thread::spawn(move || {
        let waker = Waker::noop();
        let mut reading = pin!(message.body.read_all());
        let Poll::Ready(body) = reading.as_mut().poll(&mut std::task::Context::from_waker(waker)) else { panic!() };
        verdicts.give(RecipientId(0), reply(250)).unwrap();
        body.unwrap()
    });
    assert_eq!(body.join().unwrap(), "Subject: hi\r\n\r\nhello\r\n");
    served.run();
    // The other was dropped with the verdicts.
    assert_eq!(served.heard(), "250 2.0.0 said\r\n451 4.3.0 Internal error, try again later\r\n");
}

#[test]
fn a_panic_is_451_and_then_the_end() {
    for early in [true, false] {
        let log = Log::default();
        let mut served = delivering(&log, move |mut message, verdicts| async move {
            assert!(!early, "on purpose");
            message.body.read_all().await.unwrap();
            verdicts.give(RecipientId(0), reply(250)).unwrap();
            panic!("on purpose");
        });
        served.open(2);
        let internal = "451 4.3.0 Internal error, try again later\r\n";
        let first = if early { internal } else { "250 2.0.0 said\r\n" };
        let last = "421 4.3.2 Shutting down\r\n";
        assert_eq!(served.say(LETTER), format!("{first}{internal}{last}"));
        assert!(served.is_over());
        assert!(log.take().is_empty(), "nothing is told to who has panicked");
    }
}

/// Panics in the middle of questions, or thinks for ever, by the names.
struct Odd(Log);

impl Session for Odd {
    async fn lhlo(&mut self, name: &LhloName) -> Result<(), Reply> {
        assert_ne!(name.to_string(), "panic");
        Ok(())
    }

    async fn mail(&mut self, from: &ReversePath, _: &MailParams) -> Result<(), Reply> {
        match from.to_string().as_str() {
            "never@x" => {
                let _dropped = Dropped(self.0.clone(), "dropped");
                pending().await
            }
            "no@x" => Err(reply(550)),
            "yes@x" => Err(reply(250)),
            "leave@x" => Err(reply(421)),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_question_that_nobody_answers_is_451_in_time() {
    let log = Log::default();
    let seen = log.clone();
    let mut served = Served::with(config(|_| ()), move |_: &Peer| Odd(seen.clone()));
    served.say("LHLO c\r\n");
    assert_eq!(served.say("MAIL FROM:<never@x>\r\nRSET\r\n"), "");
    assert_eq!(served.wait(9), "");
    assert_eq!(served.wait(1), "451 4.3.0 Internal error, try again later\r\n250 2.0.0 Ok\r\n");
    assert_eq!(served.say("MAIL FROM:<ann@x>\r\n"), "250 2.1.0 Sender ok\r\n");
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn what_is_decided() {
    let mut served = Served::new(|_: &Peer| Odd(Log::default()));
    served.say("LHLO c\r\n");
    assert_eq!(served.say("MAIL FROM:<no@x>\r\n"), "550 5.0.0 said\r\n");
    assert_eq!(served.say("MAIL FROM:<yes@x>\r\n"), "451 4.3.0 Internal error, try again later\r\n");
    assert_eq!(served.say("MAIL FROM:<leave@x>\r\n"), "421 4.0.0 said\r\n");
    assert!(served.is_over());
    let mut served = Served::new(|_: &Peer| Odd(Log::default()));
    served.heard();
    let words = served.say("LHLO panic\r\nMAIL FROM:<a@x>\r\n");
    assert_eq!(words, "451 4.3.0 Internal error, try again later\r\n421 4.3.2 Shutting down\r\n");
    assert!(served.is_over());
}

#[test]
fn who_is_stuck_with_a_message_is_451_in_time() {
    let log = Log::default();
    let inner = log.clone();
    let mut served = delivering(&log, move |mut message, verdicts| {
        let log = inner.clone();
        async move {
            let _dropped = Dropped(log, "dropped");
            message.body.read_all().await.unwrap();
            verdicts.give(RecipientId(1), reply(250)).unwrap();
            pending::<()>().await;
        }
    });
    served.open(2);
    assert_eq!(served.say(LETTER), "");
    assert_eq!(served.wait(19), "");
    assert_eq!(served.wait(1), "451 4.3.0 Internal error, try again later\r\n250 2.0.0 said\r\n");
    assert_eq!(log.take(), ["dropped", "over Answered"]);
    assert_eq!(served.say("MAIL FROM:<a@x>\r\n"), "250 2.1.0 Sender ok\r\n");
}

#[test]
fn the_next_message_waits_for_who_still_works_and_not_for_ever() {
    let (log, gate) = (Log::default(), Gate::default());
    let (inner, passing) = (log.clone(), gate.clone());
    let mut served = delivering(&log, move |_, verdicts| {
        let (log, gate) = (inner.clone(), passing.clone());
        async move {
            let _dropped = Dropped(log, "dropped");
            verdicts.give_rest(&Reply::stored());
            gate.pass().await;
        }
    });
    served.open(1);
    assert_eq!(served.say(LETTER), "250 2.0.0 Message stored\r\n", "at once");
    assert_eq!(served.say("MAIL FROM:<b@x>\r\n"), "");
    gate.open();
    served.run();
    assert_eq!(served.heard(), "250 2.1.0 Sender ok\r\n");
    assert_eq!(log.take(), ["dropped", "over Answered"]);

    let inner = log.clone();
    let mut served = delivering(&log, move |_, verdicts| {
        let log = inner.clone();
        async move {
            let _dropped = Dropped(log, "dropped");
            verdicts.give_rest(&Reply::stored());
            pending::<()>().await;
        }
    });
    served.open(1);
    assert_eq!(served.say(LETTER), "250 2.0.0 Message stored\r\n");
    assert_eq!(served.say("MAIL FROM:<b@x>\r\nMAIL FROM:<c@x>\r\n"), "");
    let internal = "451 4.3.0 Internal error, try again later\r\n";
    assert_eq!(served.wait(10), format!("{internal}250 2.1.0 Sender ok\r\n"));
    assert_eq!(log.take(), ["dropped", "over Answered"]);
}

#[test]
fn a_message_without_its_end_is_an_error() {
    for (last, expected) in [("", BodyError::Abandoned), (".", BodyError::Abandoned)] {
        let log = Log::default();
        let inner = log.clone();
        let mut served = delivering(&log, move |mut message, _verdicts| {
            let (log, expected) = (inner.clone(), expected.clone());
            async move {
                assert_eq!(message.body.next().await.unwrap().unwrap(), "Subject: hi\r\n\r\n");
                assert_eq!(message.body.read_all().await, Err(expected));
                log.note("void");
            }
        });
        served.open(1);
        served.say("Subject: hi\r\n\r\n");
        served.wire().add(last);
        served.leave();
        assert!(served.is_over() && served.wire().closed);
        assert_eq!(log.take(), ["void", "over Abandoned"]);
        assert_eq!(served.heard(), "", "no verdict is heard");
    }
}

#[test]
fn a_message_that_is_refused_is_an_error() {
    let log = Log::default();
    let inner = log.clone();
    let mut served = delivering(&log, move |mut message, _verdicts| {
        let log = inner.clone();
        async move {
            let Err(BodyError::Refused(reply)) = message.body.read_all().await else { panic!("taken") };
            log.note(reply.to_string());
        }
    });
    served.open(2);
    let refusal = "550 5.6.0 The message holds a lone CR or LF, or a NUL";
    assert_eq!(served.say("Subject: hi\n\r\n.\r\n"), format!("{refusal}\r\n").repeat(2));
    assert_eq!(log.take()[0], refusal);
}

#[test]
fn who_is_still_at_it_when_the_client_goes_may_finish() {
    let (log, gate) = (Log::default(), Gate::default());
    let (inner, passing) = (log.clone(), gate.clone());
    let deliver = move |mut message: Message, verdicts: Verdicts| {
        let (log, gate) = (inner.clone(), passing.clone());
        async move {
            let _dropped = Dropped(log.clone(), "dropped");
            message.body.read_all().await.unwrap();
            gate.pass().await;
            log.note(format!("{:?}", verdicts.give(RecipientId(0), Reply::stored())));
        }
    };
    let mut served = delivering(&log, deliver.clone());
    served.open(1);
    served.say(LETTER);
    served.leave();
    assert!(!served.is_over());
    // Whether the client has gone or only has no more to say is not known: it is told.
    gate.open();
    served.run();
    assert_eq!(served.heard(), "250 2.0.0 Message stored\r\n");
    assert!(served.is_over());
    assert_eq!(log.take(), ["Ok(())", "dropped", "over Answered"]);
}

#[test]
fn a_slow_reader_stops_the_client_and_memory_is_bounded() {
    let (log, gate) = (Log::default(), Gate::default());
    let (passing, read) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&read);
    let mut served = delivering(&log, move |mut message, verdicts| {
        let (gate, read) = (passing.clone(), Arc::clone(&counter));
        async move {
            gate.pass().await;
            while let Some(octets) = message.body.next().await.unwrap() {
                read.fetch_add(octets.len(), Ordering::SeqCst);
            }
            verdicts.give_rest(&Reply::stored());
        }
    });
    served.open(1);
    let line = format!("{}\r\n", "x".repeat(70));
    let letter = line.repeat(40_000);
    served.say(&letter);
    let taken = letter.len() - served.unread();
    assert!(taken < 300_000, "{taken} octets were read for nobody");
    assert_eq!(served.say(".\r\n"), "");
    gate.open();
    served.run();
    assert_eq!(served.heard(), "250 2.0.0 Message stored\r\n");
    assert_eq!(read.load(Ordering::SeqCst), letter.len());
}

#[test]
fn many_small_pieces_take_no_more_memory() {
    let log = Log::default();
    let mut served = delivering(&log, move |message, verdicts| async move {
        let _kept = (message, verdicts);
        pending::<()>().await;
    });
    served.open(1);
    // Each line is a piece of its own, for its dot is taken away.
    let letter = "..\r\n".repeat(400_000);
    served.say(&letter);
    let taken = letter.len() - served.unread();
    assert!(taken < 300_000, "{taken} octets in small pieces");
}

#[test]
fn who_takes_nothing_of_a_large_message_is_given_up() {
    let log = Log::default();
    let inner = log.clone();
    let mut served = delivering(&log, move |message, verdicts| {
        let log = inner.clone();
        async move {
            let _kept = (message, verdicts, Dropped(log, "dropped"));
            pending::<()>().await;
        }
    });
    served.open(2);
    let letter = format!("{}\r\n", "x".repeat(70)).repeat(10_000);
    assert_eq!(served.say(format!("{letter}.\r\nNOOP\r\n")), "");
    assert_eq!(served.wait(9), "");
    let internal = "451 4.3.0 Internal error, try again later\r\n";
    assert_eq!(served.wait(1), format!("{internal}{internal}250 2.0.0 Ok\r\n"));
    let [dropped, over] = &log.take()[..] else { panic!() };
    assert!(dropped == "dropped" && over.starts_with("over Refused"), "{over}");
}

#[test]
fn who_does_not_want_the_content_need_not_take_it() {
    let log = Log::default();
    let mut served = delivering(&log, move |message, verdicts| async move {
        drop(message);
        verdicts.give_rest(&reply(552));
    });
    served.open(1);
    let letter = format!("{}\r\n", "x".repeat(70)).repeat(10_000);
    assert_eq!(served.say(format!("{letter}.\r\n")), "552 5.0.0 said\r\n");
}

#[test]
fn shutting_down_takes_the_message_that_is_on_its_way() {
    let log = Log::default();
    let mut served = delivering(&log, |mut message, verdicts| async move {
        message.body.read_all().await.unwrap();
        verdicts.give_rest(&Reply::stored());
    });
    served.open(1);
    served.shutdown.shut_down();
    served.run();
    assert!(!served.is_over());
    let words = "250 2.0.0 Message stored\r\n421 4.3.2 Shutting down\r\n";
    assert_eq!(served.say(format!("{LETTER}MAIL FROM:<b@x>\r\n")), words);
    assert!(served.is_over());
    assert_eq!(served.shutdown.connections(), 0);

    let mut idle = Served::new(|_: &Peer| Odd(Log::default()));
    idle.say("LHLO c\r\n");
    idle.shutdown.shut_down();
    idle.run();
    assert_eq!(idle.heard(), "421 4.3.2 Shutting down\r\n");
    assert!(idle.is_over());
}

#[test]
fn a_hundred_thousand_recipients_in_one_breath() {
    let log = Log::default();
    let mut limits = config(|_| ());
    limits.limits.recipients = 100_000;
    let server = Server::new(move |_: &Peer| Delivering {
        deliver: |_: Message, verdicts: Verdicts| async move { verdicts.give_rest(&Reply::stored()) },
        log: log.clone(),
    });
    let mut served = Served::by(server.config(limits));
    served.open(100_000);
    let heard = served.say(LETTER);
    assert_eq!(heard.lines().count(), 100_000);
    // The same for a client that reads nothing until all is written.
    served.wire().stuck = true;
    let to = rcpts(100_000);
    served.say(format!("MAIL FROM:<a@x>\r\n{to}DATA\r\n"));
    assert!(served.unread() > 0, "replies that nobody reads do not pile up");
    served.wire().stuck = false;
    let heard = served.say("");
    assert!(heard.lines().last().unwrap().starts_with("354 ") && heard.lines().count() == 100_002);
}

#[test]
fn a_refused_client_is_told() {
    struct Closed;
    impl Handler for Closed {
        type Session = Odd;

        async fn connect(&self, _: &Peer) -> Result<Odd, Reply> {
            Err(reply(554))
        }
    }
    let mut served = Served::new(Closed);
    assert_eq!(served.heard(), "554 5.0.0 said\r\n");
    assert!(served.say("LHLO c\r\n").starts_with("503 "));
    assert_eq!(served.say("QUIT\r\n"), "221 2.0.0 Bye\r\n");
    assert!(served.is_over());
}

#[test]
fn how_a_connection_ended_is_told() {
    struct Ended(Log);
    impl Handler for Ended {
        type Session = Odd;

        async fn connect(&self, _: &Peer) -> Result<Odd, Reply> {
            Ok(Odd(self.0.clone()))
        }

        fn ended(&self, peer: &Peer, error: Option<&(dyn std::error::Error + 'static)>) {
            self.0.note(format!("{} {}", peer.address.unwrap(), error.map(ToString::to_string).unwrap_or_default()));
        }
    }
    let log = Log::default();
    let mut served = Served::new(Ended(log.clone()));
    served.say("LHLO c\r\nQUIT\r\n");
    assert_eq!(log.take(), ["192.0.2.1:40000 "]);
    let mut served = Served::new(Ended(log.clone()));
    served.say("LHL");
    served.leave();
    assert_eq!(log.take(), ["192.0.2.1:40000 the client closed the connection before it was done"]);
}

#[test]
fn a_proxy_is_believed_if_it_is_trusted() {
    struct Who;
    impl Session for Who {}
    for (network, sees) in [("192.0.2.0/24", "198.51.100.7:1"), ("203.0.113.0/24", "192.0.2.1:40000")] {
        let log = Log::default();
        let seen = log.clone();
        let server = Server::new(move |peer: &Peer| {
            seen.note(peer.client().unwrap().to_string());
            Who
        });
        let mut served = Served::by(server.proxy_from([network.parse().unwrap()]));
        let heard = served.say("PROXY TCP4 198.51.100.7 192.0.2.2 1 24\r\nLHLO c\r\n");
        assert_eq!(log.take(), [sees]);
        assert_eq!(heard.contains("500 "), sees.starts_with("192"), "{heard}");
    }
}
