//! Receives mail for one user and prints how long it is: `receive lmtp://127.0.0.1:2424`.

use lmtp_smol::{ForwardPath, Message, Peer, RcptParams, Reply, Session, Verdicts, serve};

struct Inbox;

impl Session for Inbox {
    async fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        if to.to_string() == "bob@example.org" { Ok(()) } else { Err(Reply::no_such_user()) }
    }

    async fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
        let Ok(mail) = message.body.read_all().await else { return };
        println!("{} octets from {}", mail.len(), message.envelope.from());
        verdicts.give_rest(&Reply::stored());
    }
}

fn main() -> std::io::Result<()> {
    let place = std::env::args().nth(1).unwrap_or("lmtp://127.0.0.1:2424".into());
    smol::block_on(serve(place, |_: &Peer| Inbox))
}
