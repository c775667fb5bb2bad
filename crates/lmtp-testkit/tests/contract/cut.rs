//! Lines that are cut anywhere, on real sockets: whatever happens, the report says what
//! the server would say.

use std::os::unix::net::UnixListener;

use lmtp_proto::{Outcome, Report};

use super::front::Client;
use super::served::serve;
use crate::alone::step;
use crate::model::{Mailboxes, TO, envelope};
use crate::pairs::Socket;
use crate::pki::Pki;
use crate::relay::{Cut, How, Whose, relay};

/// A report of a line that was cut, and what the client had been sent by then.
struct Case {
    cut: Cut,
    content: String,
    report: Report,
    heard: Vec<u8>,
}

impl Case {
    /// One outcome a recipient, none of which the mailboxes contradict.
    fn agrees(&self, mailboxes: &Mailboxes) {
        let Self { cut, report, .. } = self;
        let have = mailboxes.who_has(&self.content);
        assert_eq!(report.recipients().len(), TO.len(), "{cut:?}");
        for recipient in report.recipients() {
            let has = have.contains(&recipient.path().to_string());
            match recipient.outcome() {
                Outcome::Delivered => assert!(has, "{cut:?}: {recipient} and has nothing"),
                Outcome::Uncertain => {}
                _ => assert!(!has, "{cut:?}: {recipient} and has it"),
            }
        }
    }

    /// A status that has come is in the report. Behind a reset nobody can read what has.
    fn holds_what_was_heard(&self) {
        let Self { cut, report, heard, .. } = self;
        let heard = str::from_utf8(heard).unwrap();
        let (_, replies) = heard.split_once("\r\n354").unwrap_or_default();
        let finals = replies.matches("\r\n").count().saturating_sub(1);
        let accepted = report.recipients().filter(|recipient| recipient.path().to_string() != "nobody@x");
        for recipient in accepted.take(if cut.how == How::Reset { 0 } else { finals }) {
            assert!(recipient.reply().is_some(), "{cut:?}: {recipient}, of whom was heard: {heard}");
        }
    }
}

/// What comes of a message when the line is cut there.
fn deliver(cut: Cut, server: &std::path::Path) -> Case {
    let (address, relay) = relay(server, cut);
    let content = format!("{cut:?}\r\n");
    let message = content.clone();
    let report = run!({
        match wait!(Client::connect(format!("lmtp://{address}").as_str())) {
            Ok(mut client) => wait!(client.deliver(&envelope(), message)).unwrap(),
            Err(error) => {
                let super::front::Error::Fault(fault) = error else { panic!("{error}") };
                Report::unsent(envelope(), fault)
            }
        }
    });
    Case { cut, content, report, heard: relay.join().unwrap() }
}

#[test]
fn lines_that_are_cut_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let mailboxes = Mailboxes::default();
    let running = serve(Socket::Unix(UnixListener::bind(&path).unwrap()), mailboxes.clone(), &Pki::new());
    let mut cases = Vec::new();
    for whose in [Whose::Client, Whose::Server] {
        for how in [How::Close, How::Half, How::Reset] {
            for behind in (1..).step_by(step()) {
                let case = deliver(Cut { whose, behind, how }, &path);
                case.agrees(&mailboxes);
                case.holds_what_was_heard();
                let uncut = case.report.error().is_none();
                cases.push(case);
                if uncut {
                    break;
                }
            }
        }
    }
    drop(running);
    // What was stored afterwards counts, too.
    for case in &cases {
        case.agrees(&mailboxes);
    }
    let some = |outcome| cases.iter().any(|case| case.report.recipients().any(|one| one.outcome() == outcome));
    assert!(Outcome::ALL.into_iter().all(some), "every outcome comes up");
}
