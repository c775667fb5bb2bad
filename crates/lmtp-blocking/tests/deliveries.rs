//! Messages one behind the other, and messages step by step, against servers that do as they are told.

use std::path::PathBuf;

use lmtp_blocking::proto::RecipientId;
use lmtp_blocking::{Body, Client, Envelope, FaultKind, Outcome, Report, ReversePath};
use lmtp_testkit::memory::results;
use lmtp_testkit::socket::Act::{Data, Eof, Line, Say};
use lmtp_testkit::socket::{Act, ScriptedServer};

/// A server at a path of its own, greeting and LHLO done, that then acts so.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
    server: ScriptedServer,
}

impl Place {
    fn new(acts: impl IntoIterator<Item = Act>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp.sock");
        let open = [Say("220 mx ready\r\n"), Line, Say("250-mx\r\n250 PIPELINING\r\n")];
        let server = ScriptedServer::on_unix(&path, open.into_iter().chain(acts).collect());
        Self { _folder: folder, path, server }
    }

    fn client(&self) -> Client {
        Client::connect(format!("unix:{}", self.path.display()).as_str()).unwrap()
    }

    fn heard(self) -> String {
        String::from_utf8(self.server.heard()).unwrap()
    }
}

fn to(recipients: &[&str]) -> Envelope {
    Envelope::new(ReversePath::Null, recipients.iter().map(|to| to.parse().unwrap())).unwrap()
}

/// The group of a message to one, and the answers to it.
fn group(answers: &'static str) -> [Act; 4] {
    [Line, Line, Line, Say(answers)]
}

const YES: &str = "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go\r\n";

fn one_line_each(report: &Report) -> String {
    results(report).join(", ")
}

/// The next group leaves behind the content of the one before, and answers come in one.
#[test]
fn a_message_costs_one_round_trip() {
    let mut acts = group(YES).to_vec();
    for _ in 0..3 {
        acts.extend([Data, Line, Line, Line, Say("250 2.0.0 Saved\r\n250 Ok\r\n250 Ok\r\n354 Go\r\n")]);
    }
    acts.extend([Data, Say("250 2.0.0 Saved\r\n"), Line, Say("221 Bye\r\n")]);
    let place = Place::new(acts);
    let mut client = place.client();
    let messages: Vec<_> = (0..4).map(|number| (to(&["bob@x"]), format!("{number}\r\n"))).collect();
    let reports: Vec<_> = client.deliver_all(messages).collect();
    assert_eq!(reports.iter().map(one_line_each).collect::<Vec<_>>(), ["bob@x delivered final 250 2.0.0"; 4]);
    client.quit().unwrap();
    let heard = place.heard();
    let group = "MAIL FROM:<>\r\nRCPT TO:<bob@x>\r\nDATA\r\n";
    assert_eq!(
        heard,
        format!("LHLO localhost\r\n{group}0\r\n.\r\n{group}1\r\n.\r\n{group}2\r\n.\r\n{group}3\r\n.\r\nQUIT\r\n")
    );
}

/// Every kind of refusal, in the middle of messages that are taken.
#[test]
fn refusals_stay_with_their_message() {
    let acts = [
        group(YES).as_slice(),
        // MAIL is refused, and what was sent behind it.
        &[Data, Line, Line, Line, Say("250 2.0.0 Saved\r\n451 4.3.0 No\r\n503 5.5.1 No\r\n503 5.5.1 No\r\n")],
        &[Line, Say("250 Ok\r\n")],
        // The only recipient.
        &group("250 Ok\r\n550 5.1.1 Who\r\n503 5.5.1 Nobody\r\n"),
        &[Line, Say("250 Ok\r\n")],
        // DATA.
        &group("250 Ok\r\n250 Ok\r\n452 4.3.1 Full\r\n"),
        &[Line, Say("250 Ok\r\n")],
        // The message.
        &group(YES),
        &[Data, Say("552 5.2.2 Full\r\n"), Eof],
    ]
    .concat();
    let place = Place::new(acts);
    let mut client = place.client();
    let reports: Vec<_> = client.deliver_all((0..5).map(|_| (to(&["bob@x"]), "Hi\r\n"))).collect();
    assert_eq!(
        reports.iter().map(one_line_each).collect::<Vec<_>>(),
        [
            "bob@x delivered final 250 2.0.0",
            "bob@x temporary mail 451 4.3.0",
            "bob@x permanent rcpt 550 5.1.1",
            "bob@x temporary data 452 4.3.1",
            "bob@x permanent final 552 5.2.2",
        ]
    );
    assert!(client.is_ready());
}

/// The connection dies while the first is under way: it is uncertain, those behind it are
/// unsent, also those that nothing was said of; and a message that cannot be sent is
/// reported in its place.
#[test]
fn a_connection_that_dies_leaves_the_later_ones_unsent() {
    let mut acts = group(YES).to_vec();
    acts.extend([Data, Line]);
    let place = Place::new(acts);
    let mut client = place.client();
    let bodies = [Body::from("Hi\r\n"), "Hi\r\n".into(), "bare\nline\r\n".into(), "Hi\r\n".into()];
    let reports: Vec<_> = client.deliver_all(bodies.map(|body| (to(&["bob@x"]), body))).collect();
    let outcomes: Vec<Vec<Outcome>> =
        reports.iter().map(|report| report.recipients().map(|to| to.outcome()).collect()).collect();
    assert_eq!(outcomes.len(), 4);
    assert!(outcomes[1..].iter().flatten().all(|outcome| *outcome == Outcome::Unsent), "{outcomes:?}");
    let kinds: Vec<_> = reports.iter().map(|report| report.error().unwrap().kind()).collect();
    assert_eq!(kinds[1..], [FaultKind::Closed, FaultKind::Body, FaultKind::Closed]);
}

#[test]
fn uncertain_is_the_one_whose_end_has_left() {
    let mut acts = group(YES).to_vec();
    acts.extend([Data, Line, Line, Line]);
    let place = Place::new(acts);
    let mut client = place.client();
    let reports: Vec<_> = client.deliver_all((0..3).map(|_| (to(&["bob@x"]), "Hi\r\n"))).collect();
    assert_eq!(one_line_each(&reports[0]), "bob@x uncertain final, error closed final");
    for report in &reports[1..] {
        assert!(one_line_each(report).starts_with("bob@x unsent"), "{report:?}");
    }
}

/// Left half way, the messages are given up, and the next one begins afresh.
#[test]
fn deliveries_that_are_dropped() {
    let mut acts = group(YES).to_vec();
    acts.extend([Data, Line, Line, Line, Say("250 2.0.0 Saved\r\n250 Ok\r\n250 Ok\r\n250 odd\r\n"), Eof]);
    let place = Place::new(acts);
    let mut client = place.client();
    let mut deliveries = client.deliver_all((0..3).map(|_| (to(&["bob@x"]), "Hi\r\n")));
    assert!(deliveries.next().unwrap().all_delivered());
    drop(deliveries);
    assert_eq!(client.report().unwrap().recipients().next().unwrap().outcome(), Outcome::Unsent);
    let report = client.deliver(&to(&["eve@x"]), "Hi\r\n").unwrap();
    assert!(!report.all_delivered());
    drop(client);
    assert!(!place.heard().contains("eve@x"), "a message begun on a line that is in doubt");
}

#[test]
fn step_by_step() {
    let acts = [
        [Line, Say("250 2.1.0 Ok\r\n")],
        [Line, Say("250 2.1.5 Ok\r\n")],
        [Line, Say("550 5.1.1 Who\r\n")],
        [Line, Say("354 Go\r\n")],
        [Data, Say("250 2.0.0 Saved\r\n")],
        [Line, Say("250 2.0.0 Forgotten\r\n")],
        [Line, Say("221 Bye\r\n")],
    ];
    let place = Place::new(acts.concat());
    let mut client = place.client();
    let mut transaction = client.mail(ReversePath::Null).unwrap();
    assert_eq!(transaction.rcpt("bob@x".parse().unwrap()).unwrap().to_string(), "250 2.1.5 Ok");
    assert_eq!(transaction.rcpt("eve@x".parse().unwrap()).unwrap().to_string(), "550 5.1.1 Who");
    let mut content = transaction.data().unwrap();
    content.write("Subject: hi\r\n\r\n").unwrap();
    content.write(".\r\n").unwrap();
    let report = content.finish();
    assert_eq!(results(&report), ["bob@x delivered final 250 2.0.0", "eve@x permanent rcpt 550 5.1.1"]);
    client.reset().unwrap();
    client.quit().unwrap();
    let heard = place.heard();
    assert!(heard.ends_with("DATA\r\nSubject: hi\r\n\r\n..\r\n.\r\nRSET\r\nQUIT\r\n"), "{heard}");
    assert_eq!(RecipientId(0).index(), 0);
}

/// A guard that is dropped gives the message up: RSET comes before the next.
#[test]
fn a_transaction_that_is_dropped() {
    let acts = [
        [Line, Say("250 2.1.0 Ok\r\n")].as_slice(),
        &[Line, Say("250 2.1.5 Ok\r\n")],
        &[Line, Say("250 Reset\r\n")],
        &group(YES),
        &[Data, Say("250 2.0.0 Saved\r\n"), Eof],
    ];
    let place = Place::new(acts.concat());
    let mut client = place.client();
    let mut transaction = client.mail(ReversePath::Null).unwrap();
    transaction.rcpt("bob@x".parse().unwrap()).unwrap();
    drop(transaction);
    assert_eq!(client.report().unwrap().recipients().next().unwrap().outcome(), Outcome::Unsent);
    assert!(client.deliver(&to(&["eve@x"]), "Hi\r\n").unwrap().all_delivered());
    drop(client);
    let heard = place.heard();
    assert!(heard.contains("RCPT TO:<bob@x>\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<eve@x>\r\n"), "{heard}");
}

/// The end of content that is given up never leaves.
#[test]
fn content_that_is_dropped() {
    let acts =
        [[Line, Say("250 2.1.0 Ok\r\n")].as_slice(), &[Line, Say("250 2.1.5 Ok\r\n")], &[Line, Say("354 Go\r\n"), Eof]];
    let place = Place::new(acts.concat());
    let mut client = place.client();
    let mut transaction = client.mail(ReversePath::Null).unwrap();
    transaction.rcpt("bob@x".parse().unwrap()).unwrap();
    let mut content = transaction.data().unwrap();
    content.write("Hi\r\n").unwrap();
    drop(content);
    assert!(!client.is_ready());
    let report = client.deliver(&to(&["eve@x"]), "Hi\r\n").unwrap();
    assert!(one_line_each(&report).starts_with("eve@x unsent"), "{report:?}");
    drop(client);
    assert!(!place.heard().contains("\r\n.\r\n"));
}

/// Nobody is left: no content is asked for, and the report is in the error.
#[test]
fn a_transaction_without_a_recipient() {
    let acts = [[Line, Say("250 2.1.0 Ok\r\n")], [Line, Say("550 5.1.1 Who\r\n")]];
    let place = Place::new([acts.concat(), vec![Eof]].concat());
    let mut client = place.client();
    let mut transaction = client.mail(ReversePath::Null).unwrap();
    assert_eq!(transaction.rcpt("bob@x".parse().unwrap()).unwrap().code().get(), 550);
    let report = transaction.data().unwrap_err().report;
    assert_eq!(results(&report), ["bob@x permanent rcpt 550 5.1.1"]);
    assert!(client.is_ready());
}
