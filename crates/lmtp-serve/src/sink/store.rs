//! Into Maildirs. All that may wait for the disk is done on threads that may wait.

use lmtp_maildir::{Origin, Recipient, Store};
use lmtp_tokio::proto::bytes::Bytes;
use lmtp_tokio::{ForwardPath, Incoming, RcptParams, Reply};
use tokio::task::spawn_blocking;

use super::Verdict;

/// So much content is handed to the disk at once.
const BATCH: usize = 64 * 1024;

impl From<lmtp_maildir::Verdict> for Verdict {
    fn from(verdict: lmtp_maildir::Verdict) -> Self {
        Self {
            reply: verdict.reply().clone(),
            file: verdict.file().map(str::to_owned),
            error: verdict.trouble().map(ToString::to_string),
        }
    }
}

/// The recipient's mailbox, or why it has none.
pub(super) async fn find(
    store: &Store,
    path: &ForwardPath,
    params: &RcptParams,
    size: Option<u64>,
) -> Result<Recipient, Verdict> {
    let (store, path, params) = (store.clone(), path.clone(), params.clone());
    match spawn_blocking(move || store.recipient(&path, &params, size)).await {
        Ok(found) => found.map_err(Verdict::from),
        Err(error) => Err(Verdict::because(Reply::try_again_later(), error.to_string())),
    }
}

/// Takes the content to where it is kept, and gives the verdicts and its size; an error if it has no end.
pub(super) async fn keep(
    store: &Store,
    origin: &Origin,
    recipients: Vec<Recipient>,
    body: &mut Incoming,
) -> Result<(Vec<Verdict>, u64), String> {
    let mut delivery = Some(store.deliver(origin, recipients));
    let (mut pieces, mut held, mut octets): (Vec<Bytes>, usize, u64) = (Vec::new(), 0, 0);
    loop {
        match body.next().await {
            Ok(Some(piece)) => {
                octets += piece.len() as u64;
                held += piece.len();
                pieces.push(piece);
            }
            Ok(None) => break,
            Err(error) => {
                // What was made for it is taken away, and that is the disk's time, too.
                let _ = spawn_blocking(move || drop(delivery)).await;
                return Err(error.to_string());
            }
        }
        if held < BATCH {
            continue;
        }
        held = 0;
        let batch = std::mem::take(&mut pieces);
        if let Some(mut begun) = delivery.take() {
            let written = spawn_blocking(move || {
                for piece in &batch {
                    begun.write(piece);
                }
                begun
            });
            delivery = Some(written.await.map_err(|error| error.to_string())?);
        }
    }
    let Some(mut delivery) = delivery else { return Ok((Vec::new(), octets)) };
    let finished = spawn_blocking(move || {
        for piece in &pieces {
            delivery.write(piece);
        }
        delivery.finish()
    });
    Ok((finished.await.unwrap_or_default().into_iter().map(Verdict::from).collect(), octets))
}
