//! A conversation while it takes place: each line as it is said, and the answer at the end.

use std::convert::Infallible;
use std::pin::Pin;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The kind of answer that is asked for with `Accept`: JSON values, one a line.
const KIND: &str = "application/x-ndjson";

/// Where lines are told as they are said. There is an end to them: a conversation has no more than its commands and
/// replies, and those are bounded.
pub(crate) type Lines = UnboundedSender<String>;

/// Whether the conversation is to be seen while it takes place.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|kinds| kinds.contains(KIND))
}

type Work = Pin<Box<dyn Future<Output = (StatusCode, Value)> + Send>>;

/// A `{"line": …}` for each line, and `{"status": …, "answer": …}`. Whoever goes away drops the work with the stream.
pub(crate) fn answer<W>(work: impl FnOnce(Lines) -> W) -> Response
where
    W: Future<Output = (StatusCode, Value)> + Send + 'static,
{
    let (tell, lines) = unbounded_channel();
    let work: Work = Box::pin(work(tell));
    let told = stream::unfold((lines, Some(work)), |(mut lines, work)| async {
        let (value, work) = next(&mut lines, work?).await;
        Some((Ok::<_, Infallible>(Bytes::from(format!("{value}\n"))), (lines, work)))
    });
    ([(header::CONTENT_TYPE, KIND)], Body::from_stream(told)).into_response()
}

/// What comes next, and the work if there is more of it.
async fn next(lines: &mut UnboundedReceiver<String>, mut work: Work) -> (Value, Option<Work>) {
    tokio::select! {
        biased;
        Some(line) = lines.recv() => (json!({ "line": line }), Some(work)),
        (status, answer) = &mut work => (json!({ "status": status.as_u16(), "answer": answer }), None),
    }
}
