//! What is measured of a front end, in its own words: `front` names the crate.

use super::front::{Client, ForwardPath, Message, Peer, RcptParams, Reply, Session, Verdicts};
use crate::Work;

waiting! { /// One session of a client.
pub(crate) fn session(work: Work) {
    let mut client = wait!(Client::connect(work.endpoint)).expect("a server");
    if work.single {
        for _ in 0..work.messages {
            let report = wait!(client.deliver(&work.envelope, &work.content[..])).expect("the session is open");
            assert!(report.all_delivered(), "{report:?}");
        }
    } else {
        let messages = (0..work.messages).map(|_| (work.envelope.clone(), work.content.clone()));
        let mut reports = client.deliver_all(messages);
        let mut count = 0;
        while let Some(report) = wait!(reports.next()) {
            assert!(report.all_delivered(), "{report:?}");
            count += 1;
        }
        assert_eq!(count, work.messages);
    }
    wait!(client.quit()).expect("a server that answers QUIT");
} }

/// Takes mail for everybody and throws it away.
pub(crate) struct Sink;

impl Sink {
    pub(crate) fn new(_: &Peer) -> Self {
        Self
    }
}

impl Session for Sink {
    waiting! { fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        Ok(())
    } }

    waiting! { fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
        while let Ok(piece) = wait!(message.body.next()) {
            if piece.is_none() {
                return verdicts.give_rest(&Reply::stored());
            }
        }
    } }
}
