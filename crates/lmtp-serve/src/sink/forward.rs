//! To another server: what that one answers for a recipient is what is answered here.

use std::time::Duration;

use lmtp_tokio::{Body, Builder, Client, Endpoint, LhloName, Outcome, RecipientReport, Report, Timeouts};
use tokio::io::AsyncSeekExt as _;

use super::{Verdict, Whole, reply};

/// To another server, over a connection for each message.
#[derive(Debug)]
pub(crate) struct Forward {
    to: Endpoint,
    timeouts: Timeouts,
    #[cfg(feature = "rustls")]
    tls: Option<lmtp_tokio::ClientTls>,
}

impl Forward {
    /// To that server, which has so long for each answer: less than our client has for us.
    pub(crate) fn new(to: Endpoint, patience: Duration) -> Self {
        let mut timeouts = Timeouts::all(patience);
        timeouts.connect = patience.min(Duration::from_secs(30));
        Self {
            to,
            timeouts,
            #[cfg(feature = "rustls")]
            tls: None,
        }
    }

    /// With TLS, if the endpoint asks for it.
    #[cfg(feature = "rustls")]
    pub(crate) fn tls(self, tls: lmtp_tokio::ClientTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// What is written above a message before it is held: whoever passes one on says so (RFC 5321 section 4.4).
    pub(super) fn header(message: &Whole<'_>) -> String {
        let only = match message.envelope.recipients() {
            [(path, _)] => Some(path),
            _ => None,
        };
        message.received(only)
    }

    pub(super) async fn deliver(&self, message: Whole<'_>) -> Vec<Verdict> {
        let count = message.envelope.recipients().len();
        match self.send(&message).await {
            Ok(report) => report.recipients().map(|recipient| verdict(&report, &recipient)).collect(),
            Err(error) => vec![Verdict::because(reply(451, (4, 1), "The next server cannot be reached"), error); count],
        }
    }

    async fn send(&self, message: &Whole<'_>) -> Result<Report, String> {
        let builder = self.builder(message.by).map_err(|error| error.to_string())?;
        let mut client = builder.connect().await.map_err(|fault| fault.to_string())?;
        let body = match message.content.file() {
            None => Body::from(message.content.in_memory()),
            Some(file) => {
                let file = file.try_clone().map_err(|error| error.to_string())?;
                let mut file = tokio::fs::File::from_std(file);
                file.rewind().await.map_err(|error| error.to_string())?;
                Body::file(file)
            }
        };
        let report = client.deliver(message.envelope, body).await.map_err(|misuse| misuse.to_string())?;
        // The answers stand, whatever becomes of the connection.
        let _ = client.quit().await;
        Ok(report)
    }

    fn builder(&self, name: &LhloName) -> Result<Builder, lmtp_tokio::Error> {
        let builder = Client::builder(self.to.clone())?.timeouts(self.timeouts).lhlo_name(name.clone());
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            return Ok(builder.tls(tls.clone()));
        }
        Ok(builder)
    }
}

/// What the next server has said, in its words.
fn verdict(report: &Report, recipient: &RecipientReport<'_>) -> Verdict {
    let said = recipient.reply();
    let error = report.error().map(ToString::to_string);
    match (recipient.outcome(), said) {
        // 421 would end our client's session, which goes on.
        (Outcome::Temporary, Some(said)) if said.code().get() == 421 => {
            Verdict { error, ..Verdict::new(reply(451, (4, 2), &format!("The next server said: {said}"))) }
        }
        (Outcome::Delivered | Outcome::Temporary | Outcome::Permanent, Some(said)) => {
            Verdict { error, ..Verdict::new(said.clone()) }
        }
        (Outcome::Permanent, _) => {
            Verdict { error, ..Verdict::new(reply(554, (6, 1), "The next server cannot take this message")) }
        }
        (Outcome::Uncertain, _) => {
            Verdict { error, ..Verdict::new(reply(451, (4, 2), "The next server has not said what became of it")) }
        }
        _ => Verdict { error, ..Verdict::new(reply(451, (4, 1), "The next server has not taken it")) },
    }
}
