//! Every public item of a front end, used.
//!
//! `cargo xtask tidy` compares: a name that a front end has and this file does not is
//! told, and so is one that only some of them have.

use std::error::Error as StdError;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lmtp_testkit::memory::results;

use super::front::proto::Content as Known;
use super::front::proto::auth::{Identity, Mechanism};
use super::front::proto::value::{ClientAttributes, MechanismName};
use super::front::{
    Bind, Body, BodyError, Builder, Capabilities, Client, ClientTls, Config, Content, ContentClass, ContentError,
    ContentProblem, Credentials, Deliveries, EightBit, Ending, Endpoint, Envelope, Error, Fault, FaultKind,
    ForwardPath, Handle, Handler, Incoming, LhloName, Limits, Line, LineEndings, Listen, Listener, MailParams, Message,
    Misuse, Network, NotDelivered, Origin, Outcome, Peer, PeerTls, Phase, Pipelining, RcptParams, RecipientId,
    RecipientReport, Reply, Report, ReversePath, Security, Server, ServerConfig, ServerTls, Session, Shutdown, Stale,
    Timeouts, Transaction, Verdicts, send, serve,
};
use super::served::begin;
use super::{Cursor, adopted};
use crate::pairs::Socket;
use crate::pki::Pki;

/// An application that notes what it is asked and told.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<String>>>);

impl Noting {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }
}

impl Handler for Noting {
    type Session = Self;

    waiting! {
        fn connect(&self, peer: &Peer) -> Result<Self, Reply> {
            let (_, tls): (Option<Credentials>, Option<&PeerTls>) = (peer.credentials, peer.tls.as_deref());
            assert!(tls.is_none());
            Ok(self.clone())
        }
    }

    fn ended(&self, _: &Peer, error: Option<&(dyn StdError + 'static)>) {
        self.note(format!("ended {}", error.is_none()));
    }
}

impl Session for Noting {
    waiting! {
        fn lhlo(&mut self, name: &LhloName) -> Result<(), Reply> {
            self.note(format!("lhlo {name}"));
            Ok(())
        }
    }

    waiting! {
        fn mail(&mut self, from: &ReversePath, _: &MailParams) -> Result<(), Reply> {
            self.note(format!("mail {from}"));
            Ok(())
        }
    }

    waiting! {
        fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            self.note(format!("rcpt {to}"));
            Ok(())
        }
    }

    waiting! {
        fn data(&mut self) -> Result<(), Reply> {
            self.note("data");
            Ok(())
        }
    }

    waiting! {
        fn deliver(&mut self, message: Message, verdicts: Verdicts) {
            let Message { id, envelope, params, mut body, .. } = message;
            assert_eq!(envelope.recipients().len(), verdicts.len());
            let begin: Result<_, BodyError> = wait!(body.next());
            let begin = begin.unwrap().unwrap_or_default();
            let rest = { let body: &mut Incoming = &mut body; wait!(body.read_all()).unwrap() };
            assert!(wait!(body.next()).unwrap().is_none());
            self.note(format!("deliver {} {} {:?}", id.0, begin.len() + rest.len(), params.size));
            verdicts.give(RecipientId(0), Reply::stored()).unwrap();
            let again: Result<(), Stale> = verdicts.give(RecipientId(0), Reply::stored());
            assert!(again.is_err());
            verdicts.give_rest(&Reply::mailbox_full());
        }
    }

    fn over(&mut self, ending: &Ending) {
        self.note(format!("over {ending:?}"));
    }

    fn secured(&mut self, _: &Peer) {}

    fn mechanism(&mut self, _: &MechanismName) -> Option<Box<dyn Mechanism>> {
        None
    }

    fn authenticated(&mut self, _: &Identity) {}

    waiting! {
        fn xclient(&mut self, _: &ClientAttributes) -> Result<(), Reply> {
            Err(Reply::refused())
        }
    }

    waiting! {
        fn xforward(&mut self, _: &ClientAttributes) -> Result<(), Reply> {
            Err(Reply::refused())
        }
    }

    fn trace(&mut self, _: &str) {}
}

fn envelope() -> Envelope {
    Envelope::new("ann@x".parse().unwrap(), ["bob@x", "eve@x"].map(|to| to.parse().unwrap())).unwrap()
}

/// What came of a message to the two.
fn is_answered(report: &Report) {
    assert_eq!(results(report)[..1], ["bob@x delivered final 250 2.0.0"]);
    let eve: RecipientReport<'_> = report.recipients().nth(1).unwrap();
    assert!(matches!(eve.outcome(), Outcome::Permanent | Outcome::Temporary), "{eve}");
    assert_eq!((eve.phase(), eve.origin()), (Phase::Final, Some(Origin::Peer)));
}

/// A client with everything set.
fn builder(endpoint: &Endpoint, handle: &Handle, lines: &Arc<Mutex<Vec<String>>>) -> Builder {
    let lines = Arc::clone(lines);
    Client::builder(endpoint.clone())
        .unwrap()
        .config(Config::default())
        .lhlo_name(LhloName::default())
        .timeouts(Timeouts::default())
        .limits(Limits::default())
        .pipelining(Pipelining::default())
        .line_endings(LineEndings::Convert)
        .eight_bit(EightBit::default())
        .depth(3)
        .authenticate(Vec::new())
        .on_line(move |line: &Line| lines.lock().unwrap().push(line.to_string()))
        .handle(handle)
}

/// Bodies of every kind, several at a time, and a message step by step.
#[test]
fn a_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let name = format!("unix:{}", path.display());
    let noting = Noting::default();
    let server = Server::new(noting.clone()).config(ServerConfig::default()).max_connections(7);
    let server = server.max_connections_per_address(7).proxy_from(["192.0.2.0/24".parse::<Network>().unwrap()]);
    let server = server.trust(["unix".parse().unwrap()]);
    let shutdown: Shutdown = server.handle();
    let bind = Bind::new(&name).unwrap().mode(0o600).owner(None, None);
    let running = thread::spawn(move || run!({ wait!(server.serve(bind)) }));
    while UnixStream::connect(&path).is_err() {
        thread::sleep(Duration::from_millis(1));
    }

    let (handle, lines) = (Handle::new(), Arc::default());
    let endpoint: Endpoint = name.parse().unwrap();
    let open = builder(&endpoint, &handle, &lines);
    run!({
        let mut client: Client = wait!(open.connect()).unwrap();
        let offered: &Capabilities = client.capabilities().unwrap();
        assert!(offered.pipelining() && client.greeting().is_some() && client.is_ready());

        let mut file = Body::file(Cursor::new(b"Subject: hi\n\nHello\n"));
        wait!(file.look_through(LineEndings::Convert)).unwrap();
        is_answered(&wait!(client.deliver(&envelope(), file)).unwrap());
        let stream = Body::reader(&b"Hi\r\n"[..]).with_size(4).with_class(ContentClass::SevenBit);
        is_answered(&wait!(client.deliver(&envelope(), stream)).unwrap());

        let mut reports: Deliveries<'_, '_, _> = client.deliver_all([(envelope(), "One\r\n"), (envelope(), "Two\r\n")]);
        is_answered(&wait!(reports.next()).unwrap());
        is_answered(&wait!(reports.next()).unwrap());
        assert!(wait!(reports.next()).is_none());
        drop(reports);

        let mut transaction: Transaction<'_> = wait!(client.mail("ann@x".parse().unwrap())).unwrap();
        assert!(wait!(transaction.rcpt("bob@x".parse().unwrap())).unwrap().code().is_success());
        let to: ForwardPath = "eve@x".parse().unwrap();
        assert!(wait!(transaction.rcpt_with(to, RcptParams::default())).unwrap().code().is_success());
        assert_eq!(transaction.report().unwrap().recipients().len(), 2);
        let mut content: Content<'_> = wait!(transaction.data()).unwrap();
        wait!(content.write("Subject: hi\r\n\r\n")).unwrap();
        wait!(content.write("Hello\r\n")).unwrap();
        assert!(content.report().is_some());
        is_answered(&wait!(content.finish()));

        let params = MailParams::default();
        let transaction = wait!(client.mail_with(ReversePath::Null, params, Known::UNKNOWN)).unwrap();
        let nobody: Result<(), NotDelivered> = wait!(transaction.data()).map(drop);
        assert!(nobody.is_err());
        wait!(client.reset()).unwrap();
        assert!(client.report().is_none());
        assert!(!handle.is_cancelled());
        handle.cancel();
        let report: Result<Report, Misuse> = wait!(client.deliver(&envelope(), "Hi\r\n"));
        let fault: &Fault = report.as_ref().unwrap().error().unwrap();
        assert_eq!(fault.kind(), FaultKind::Closed);
        assert!(handle.is_cancelled() && handle.phase() != Phase::Connect);
        wait!(client.quit()).unwrap();

        let report: Result<Report, Error> = wait!(send(endpoint, "ann@x", ["bob@x", "eve@x"], "Hi\r\n"));
        is_answered(&report.unwrap());
    });
    let lines: Vec<String> = Arc::try_unwrap(lines).unwrap().into_inner().unwrap();
    assert_eq!(lines.iter().filter(|line| line.starts_with("C: MAIL")).count(), 6, "{lines:#?}");

    assert!(!shutdown.is_shut_down());
    shutdown.shut_down();
    running.join().unwrap().unwrap();
    assert_eq!(shutdown.connections(), 0);
    let noted = noting.0.lock().unwrap();
    assert_eq!(noted.iter().filter(|what| what.starts_with("deliver")).count(), 6, "{noted:#?}");
}

/// Streams and sockets that were opened elsewhere.
#[test]
fn a_server() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::new(|_: &Peer| Noting::default());
    let serving = thread::spawn(move || {
        run!({
            let _ = wait!(server.serve_stream(adopted(theirs), Peer::default()));
        });
    });
    run!({
        let client = wait!(Client::builder("unix:a-pair").unwrap().over(adopted(ours))).unwrap();
        wait!(client.quit()).unwrap();
    });
    serving.join().unwrap();

    let folder = tempfile::tempdir().unwrap();
    let name = format!("unix:{}", folder.path().join("lmtp").display());
    run!({
        // A listener that wants TLS, and nobody has set that up.
        let mut listeners: Vec<Listener> = name.as_str().listen().unwrap();
        let listener = listeners.pop().unwrap().security(Security::Tls);
        assert!(wait!(serve(listener, |_: &Peer| Noting::default())).is_err());
        assert!(wait!(Client::connect(name.as_str())).is_err());
    });
}

/// TLS at both ends.
#[test]
fn with_tls() {
    let pki = Pki::new();
    let (theirs, ours): (ServerTls, ClientTls) = (pki.server(), pki.client());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("lmtps://{}", listener.local_addr().unwrap());
    let server = Server::new(|_: &Peer| Noting::default()).tls(theirs);
    let running = begin(server, Socket::Tcp(listener, Security::Tls));
    run!({
        let client = wait!(Client::builder(endpoint.as_str()).unwrap().tls(ours).connect()).unwrap();
        wait!(client.quit()).unwrap();
    });
    drop(running);
}

/// What is wrong with a message is told before anybody is asked.
#[test]
fn a_message_that_cannot_be_sent() {
    run!({
        let mut body = Body::from("bare\nline\r\n");
        let fault: Fault = wait!(body.look_through(LineEndings::Reject)).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Body);
        let wrong = ContentError { problem: ContentProblem::BareLf, offset: 4, line: 1 };
        assert!(fault.message().contains(&wrong.to_string()), "{fault}");
    });
}
