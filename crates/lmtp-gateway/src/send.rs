//! `/api/lmtp/send`: a message, and what became of it for every recipient.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use lmtp_tokio::proto::value::Reply;
use lmtp_tokio::{Client, Fault, FaultKind, Origin, Outcome, Phase, Report};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shared;
use crate::api::SendRequest;
use crate::compose::compose;
use crate::connect::{NOTE, Timings, full, milliseconds};
use crate::dial::{self, Dialled};
use crate::live::Lines;
use crate::problem::{Problem, Problems, Written, status_of, written};
use crate::request::{Content, Fields, Mail, Where};
use crate::{explain, live};

/// What it waits by default, in milliseconds.
const PATIENCE: u64 = 15_000;

/// What is answered. What stands first is the seed's, by name and type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    /// The conversation took place, and every recipient has the server's answer.
    success: bool,
    host: Option<String>,
    port: Option<u16>,
    from: String,
    recipient_count: usize,
    /// Those whose RCPT was answered with a yes.
    accepted_count: usize,
    delivery_status: Vec<Status>,
    /// Every recipient that was asked for was delivered.
    all_delivered: bool,
    note: &'static str,
    endpoint: String,
    server_name: Option<String>,
    message_id: Option<String>,
    timings: Timings,
    warnings: Vec<String>,
    /// Why there are recipients without an answer.
    error: Option<String>,
    kind: Option<&'static str>,
    phase: Option<&'static str>,
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<Vec<String>>,
}

/// What was asked for did not take place for everybody.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes which of the two it is")]
pub(crate) enum Unsent {
    Sent(Box<Sent>),
    Problem(Written<'static>),
}

/// What became of the message for a recipient; each that was asked for has one, in that order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    recipient: String,
    code: Option<u16>,
    message: Option<String>,
    delivered: bool,
    outcome: &'static str,
    phase: &'static str,
    origin: Option<&'static str>,
    enhanced: Option<String>,
    /// In plain words.
    meaning: String,
}

/// A message, and what became of it for every recipient.
#[utoipa::path(
    post,
    path = "/api/lmtp/send",
    request_body = SendRequest,
    responses(
        (status = 200, description = "Every recipient has the server's answer, a yes or a no.", body = Sent),
        (status = 422, description = "The message cannot be sent to that server as it is.", body = Unsent),
        (status = 502, description = "The server or the line was at fault: see each recipient.", body = Unsent),
        (status = 504, description = "The time was up: see each recipient.", body = Unsent),
        Problems
    )
)]
pub(crate) async fn send(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if live::is_wanted(&headers) {
        return live::answer(async move |lines| written(by(&shared, &headers, &body, Some(lines)).await));
    }
    by(&shared, &headers, &body, None).await.map(|(status, sent)| (status, Json(sent))).into_response()
}

async fn by(
    shared: &Shared,
    headers: &HeaderMap,
    body: &[u8],
    lines: Option<Lines>,
) -> Result<(StatusCode, Sent), Problem> {
    deliver(shared, Fields::parse(headers, body)?, lines).await
}

/// Sends what the fields say.
pub(crate) async fn deliver(
    shared: &Shared,
    mut fields: Fields,
    lines: Option<Lines>,
) -> Result<(StatusCode, Sent), Problem> {
    let to = Where { lines, ..fields.to(shared, PATIENCE) };
    let mail = fields.mail(shared)?;
    fields.finish()?;
    // Without a complaint there is a message.
    let Some(Mail { envelope, content }) = mail else { return Err(Problem::nothing_here()) };
    let (octets, message_id) = match content {
        Content::Raw(raw) => (raw, None),
        Content::Draft { subject, body } => {
            let (octets, id) = compose(&envelope, &subject, &body);
            (octets, Some(id))
        }
    };
    shared.usage.count();
    let begun = Instant::now();
    let _place = dial::place(shared, to.patience).await?;
    let dialled = Dialled::new(shared, &to, begun).await?;
    let connected = tokio::time::timeout(dialled.left(), dialled.connect()).await;
    let (report, server_name, open_ms) = match connected.unwrap_or_else(|_| Err(dialled.too_late())) {
        Err(fault) => (Report::unsent(envelope.clone(), fault), None, milliseconds(begun)),
        Ok(mut client) => {
            let open_ms = milliseconds(begun);
            let name = client.capabilities().map(|offered| offered.server().to_owned());
            let delivered = tokio::time::timeout(dialled.left(), client.deliver(&envelope, octets)).await;
            let report = match delivered {
                Ok(Ok(report)) => report,
                Ok(Err(misuse)) => {
                    Report::unsent(envelope.clone(), Fault::new(FaultKind::Closed, Phase::Mail, misuse.to_string()))
                }
                // What is known is in the client: the message is not sent on, for the connection is closed.
                Err(_) => {
                    cut_off(&dialled, &client).unwrap_or_else(|| Report::unsent(envelope.clone(), dialled.too_late()))
                }
            };
            if report.error().is_none() {
                // The answers stand, however it takes leave.
                let _ = tokio::time::timeout(std::time::Duration::from_secs(1), client.quit()).await;
            }
            (report, name, open_ms)
        }
    };
    let (host, port) = to.place.seen();
    let delivery_status: Vec<Status> = report
        .recipients()
        .map(|told| Status {
            recipient: told.path().to_string(),
            code: told.reply().map(|reply| reply.code().get()),
            message: told.reply().map(full),
            delivered: told.outcome() == Outcome::Delivered,
            outcome: told.outcome().name(),
            phase: told.phase().name(),
            origin: told.origin().map(Origin::name),
            enhanced: told.reply().and_then(Reply::enhanced).map(|code| code.to_string()),
            meaning: explain::recipient(&told),
        })
        .collect();
    let refused_at =
        |told: &lmtp_tokio::RecipientReport<'_>| matches!(told.phase(), Phase::Final | Phase::Data | Phase::Body);
    let why = why(&report);
    let sent = Sent {
        success: report.recipients().all(|told| told.origin() == Some(Origin::Peer)),
        host,
        port,
        from: report.from().to_string(),
        recipient_count: delivery_status.len(),
        accepted_count: report.recipients().filter(refused_at).count(),
        all_delivered: report.all_delivered(),
        delivery_status,
        note: NOTE,
        endpoint: dialled.named.clone(),
        server_name,
        message_id,
        timings: Timings { open_ms, total_ms: milliseconds(begun) },
        warnings: report.warnings().to_vec(),
        error: why.as_ref().map(|why| why.message.clone()),
        kind: why.as_ref().map(|why| why.kind),
        phase: why.as_ref().map(|why| why.phase),
        message: why.as_ref().map(|why| why.message.clone()),
        transcript: dialled.said(),
    };
    Ok((why.map_or(StatusCode::OK, |why| why.status), sent))
}

/// Why there are recipients without the server's answer.
struct Why {
    status: StatusCode,
    kind: &'static str,
    phase: &'static str,
    message: String,
}

fn why(report: &Report) -> Option<Why> {
    if let Some(fault) = report.error() {
        let (kind, phase) = (fault.kind().name(), fault.phase().name());
        return Some(Why { status: status_of(fault), kind, phase, message: fault.message().to_owned() });
    }
    let told = report.recipients().find(|told| told.origin() == Some(Origin::Local))?;
    let reply = told.reply().map(ToString::to_string).unwrap_or_default();
    let message = format!("{}: {reply} (refused here, the server was not asked)", told.path());
    Some(Why { status: StatusCode::UNPROCESSABLE_ENTITY, kind: "unsupported", phase: told.phase().name(), message })
}

/// What is known of a message whose time is up.
fn cut_off(dialled: &Dialled, client: &Client) -> Option<Report> {
    let mut report = client.report()?;
    report.stop(dialled.too_late());
    Some(report)
}

impl Dialled {
    /// The time of the request is up.
    pub(crate) fn too_late(&self) -> Fault {
        Fault::new(FaultKind::Timeout, self.handle.phase(), format!("{}: the time for this request is up", self.named))
    }
}
