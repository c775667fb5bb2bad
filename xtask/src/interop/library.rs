//! What is checked through the library and not through the program.

use anyhow::{Context as _, Result, ensure};
use lmtp_blocking::{Client, Envelope, ForwardPath, ReversePath};

use super::messages;
use super::server::Server;

/// Many messages over one connection: each arrives once, each as it was sent.
pub(crate) fn five_hundred(server: &Server<'_>) -> Result<()> {
    const COUNT: usize = 500;
    server.store.take(server.good)?;

    let mut client = Client::connect(server.unix.as_str())?;
    let from: ReversePath = "sender@example.org".parse()?;
    let to: ForwardPath = server.good.0.parse()?;
    let mut sent = Vec::new();
    for number in 0..COUNT {
        let envelope = Envelope::new(from.clone(), [to.clone()])?;
        let message = messages::ordinary(number);
        let report = client.deliver(&envelope, message.clone())?;
        ensure!(report.all_delivered(), "message {number}: {report:?}");
        sent.push(server.store.kept(&message));
    }
    client.quit().context("QUIT after the messages")?;

    let mut stored = server.store.take(server.good)?;
    ensure!(stored.len() == COUNT, "{} messages stored instead of {COUNT}", stored.len());
    stored.sort();
    sent.sort();
    ensure!(stored == sent, "{COUNT} messages are stored, but not those that were sent");
    Ok(())
}
