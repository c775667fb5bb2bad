//! The application of the tests behind the server of one front end, and its client
//! towards any server.

use std::io;
use std::thread;

use super::front::{
    Client, ForwardPath, Handler, Listen as _, Message, Peer, RcptParams, Reply, Server, Session, Verdicts,
};
use lmtp_testkit::memory::results;

use crate::model::{self, Mailboxes, envelope};
use crate::pairs::{Front, Running, Socket};
use crate::pki::Pki;

/// The application, one for all connections.
pub(crate) struct Keeping(pub(crate) Mailboxes);

impl Handler for Keeping {
    type Session = Open;

    waiting! {
        fn connect(&self, _: &Peer) -> Result<Open, Reply> {
            Ok(Open(self.0.clone()))
        }
    }
}

/// One connection of it.
pub(crate) struct Open(Mailboxes);

impl Session for Open {
    waiting! {
        fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
            model::rcpt(to)
        }
    }

    waiting! {
        fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
            // A message without its end is nobody's.
            let Ok(content) = wait!(message.body.read_all()) else { return };
            for (recipient, reply) in self.0.deliver(&message.envelope, &content) {
                // Who is gone has not heard it.
                let _ = verdicts.give(recipient, reply);
            }
        }
    }
}

/// A server in a thread of its own, to be ended.
pub(crate) fn serve(socket: Socket, mailboxes: Mailboxes, pki: &Pki) -> Running {
    begin(Server::new(Keeping(mailboxes)).tls(pki.server()), socket)
}

/// The same, whatever it is.
pub(crate) fn begin<H: Handler>(server: Server<H>, socket: Socket) -> Running {
    let shutdown = server.handle();
    let thread = thread::spawn(move || -> io::Result<()> {
        match socket {
            Socket::Tcp(listener, security) => run!({
                let listener = listener.listen()?.pop().expect("it listens").security(security);
                wait!(server.serve(listener))
            }),
            Socket::Unix(listener) => run!({ wait!(server.serve(listener)) }),
        }
    });
    Running::new(move || {
        shutdown.shut_down();
        thread.join().unwrap().unwrap();
    })
}

/// Three messages over one connection, two of them pipelined; what was said of each.
fn deliver(endpoint: String, pki: &Pki) -> Vec<Vec<String>> {
    let tls = pki.client();
    run!({
        let mut client = wait!(Client::builder(endpoint.as_str()).unwrap().tls(tls).connect()).unwrap();
        let mut said = vec![results(&wait!(client.deliver(&envelope(), "One\r\n.\r\n")).unwrap())];
        let mut reports = client.deliver_all(["Two\r\n", "Three\r\n"].map(|message| (envelope(), message)));
        while let Some(report) = wait!(reports.next()) {
            said.push(results(&report));
        }
        drop(reports);
        wait!(client.quit()).unwrap();
        said
    })
}

/// This front end, for tests that mix them.
pub(crate) const FRONT: Front = Front { serve, deliver };
