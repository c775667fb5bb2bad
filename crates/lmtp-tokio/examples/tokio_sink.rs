//! Takes mail for everybody and throws it away, on one thread: what a server costs.
//! `sink unix:/tmp/sink`

use lmtp_tokio::{ForwardPath, Message, Peer, RcptParams, Reply, Session, Verdicts, serve};

struct Sink;

impl Session for Sink {
    async fn rcpt(&mut self, _: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        Ok(())
    }

    async fn deliver(&mut self, mut message: Message, verdicts: Verdicts) {
        while let Ok(piece) = message.body.next().await {
            if piece.is_none() {
                return verdicts.give_rest(&Reply::stored());
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let place = std::env::args().nth(1).unwrap_or("lmtp://127.0.0.1:2424".into());
    serve(place, |_: &Peer| Sink).await
}
