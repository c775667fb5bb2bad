//! What machines ask: is it alive, does it take mail, how much has there been.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use lmtp_tokio::Shutdown;
use lmtp_tokio::proto::value::ReplyClass;
use tokio::net::TcpListener;

/// What has been counted since it began.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) octets: AtomicU64,
    delivered: AtomicU64,
    temporary: AtomicU64,
    permanent: AtomicU64,
    pub(crate) abandoned: AtomicU64,
}

impl Counts {
    /// One recipient more has its answer, to RCPT or to the message.
    pub(crate) fn answered(&self, class: ReplyClass) {
        let count = match class {
            ReplyClass::PositiveCompletion => &self.delivered,
            ReplyClass::PermanentNegative => &self.permanent,
            _ => &self.temporary,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// In the text format of Prometheus.
    fn text(&self, now: usize) -> String {
        let mut text = String::new();
        let mut tell = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
            // Writing to a String cannot fail.
            let _ = write!(text, "# HELP lmtp_{name} {help}\n# TYPE lmtp_{name} {kind}\n");
            for (label, value) in values {
                let _ = writeln!(text, "lmtp_{name}{label} {value}");
            }
        };
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        tell("connections", "gauge", "Connections now.", &[("", now as u64)]);
        tell("connections_total", "counter", "Connections taken.", &[("", of(&self.connections))]);
        tell("connections_refused_total", "counter", "Connections of who may not.", &[("", of(&self.refused))]);
        tell("messages_total", "counter", "Messages whose content was whole.", &[("", of(&self.messages))]);
        tell("messages_abandoned_total", "counter", "Messages without an end.", &[("", of(&self.abandoned))]);
        tell("octets_total", "counter", "Octets of whole messages.", &[("", of(&self.octets))]);
        let recipients = [
            ("{outcome=\"delivered\"}", of(&self.delivered)),
            ("{outcome=\"temporary\"}", of(&self.temporary)),
            ("{outcome=\"permanent\"}", of(&self.permanent)),
        ];
        tell("recipients_total", "counter", "Recipients by what they were answered.", &recipients);
        text
    }
}

/// Begins to listen.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| io::Error::new(error.kind(), format!("cannot listen at http://{address}: {error}")))
}

/// Answers `/healthz`, `/readyz` and `/metrics`, and what else there is, as long as it is polled.
pub(crate) async fn serve(
    listener: TcpListener,
    counts: Arc<Counts>,
    shutdown: Shutdown,
    inbox: Option<Router>,
) -> io::Result<()> {
    let ready = {
        let shutdown = shutdown.clone();
        // Red while it drains, so that nobody new is sent here.
        move || async move {
            match shutdown.is_shut_down() {
                true => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
                false => (StatusCode::OK, "ready\n"),
            }
        }
    };
    let metrics = move || async move {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], counts.text(shutdown.connections()))
    };
    let routes = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .merge(inbox.unwrap_or_default());
    lmtp_web::serve(listener, routes, std::future::pending()).await
}
