//! What is checked through the library and not through the program.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use lmtp_blocking::{Client, ClientTls, Envelope, ForwardPath, ReversePath};

use super::messages;
use super::server::Server;

/// Many messages over one connection: each arrives once, each as it was sent. Over TLS, if there is somebody to
/// trust.
pub(crate) fn many(server: &Server<'_>, url: &str, count: usize, ca_file: Option<&Path>) -> Result<()> {
    server.store.take(server.good)?;
    let mut builder = Client::builder(url)?;
    if let Some(ca_file) = ca_file {
        builder = builder.tls(ClientTls::builder().ca_file(ca_file).build()?);
    }
    let mut client = builder.connect()?;
    let envelope = envelope(server)?;
    for number in 0..count {
        let report = client.deliver(&envelope, messages::ordinary(number))?;
        ensure!(report.all_delivered(), "message {number}: {report:?}");
    }
    client.quit().context("QUIT after the messages")?;
    all_stored(server, count)
}

/// The same from tokio.
pub(crate) fn many_on_tokio(server: &Server<'_>, url: &str, count: usize, ca_file: &Path) -> Result<()> {
    server.store.take(server.good)?;
    let tls = ClientTls::builder().ca_file(ca_file).build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = lmtp_tokio::Client::builder(url)?.tls(tls).connect().await?;
        let envelope = envelope(server)?;
        for number in 0..count {
            let report = client.deliver(&envelope, messages::ordinary(number)).await?;
            ensure!(report.all_delivered(), "message {number}: {report:?}");
        }
        client.quit().await.context("QUIT after the messages")
    })?;
    all_stored(server, count)
}

fn envelope(server: &Server<'_>) -> Result<Envelope> {
    Ok(Envelope::new("sender@example.org".parse::<ReversePath>()?, [server.good.0.parse::<ForwardPath>()?])?)
}

fn all_stored(server: &Server<'_>, count: usize) -> Result<()> {
    let mut sent: Vec<_> = (0..count).map(|number| server.store.kept(&messages::ordinary(number))).collect();
    let mut stored = server.store.take(server.good)?;
    ensure!(stored.len() == count, "{} messages stored instead of {count}", stored.len());
    stored.sort();
    sent.sort();
    ensure!(stored == sent, "{count} messages are stored, but not those that were sent");
    Ok(())
}
