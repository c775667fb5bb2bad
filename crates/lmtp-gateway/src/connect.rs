//! `/api/lmtp/connect`: is it there, and what does it offer.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Shared;
use crate::api::ConnectRequest;
use crate::dial::{self, Dialled};
use crate::live::Lines;
use crate::problem::{Problem, Problems, written};
use crate::request::{Fields, Place, Where};
use crate::{explain, live};

/// What it waits by default, in milliseconds.
const PATIENCE: u64 = 10_000;

/// What is answered. What stands first is the seed's, by name and type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    /// True.
    success: bool,
    host: Option<String>,
    port: Option<u16>,
    /// LMTP.
    protocol: &'static str,
    /// With its code, lines joined by CR LF.
    greeting: String,
    /// What it offers, a line each.
    capabilities: Vec<String>,
    note: &'static str,
    /// What was dialled.
    endpoint: String,
    /// What the capabilities mean, in the same order, of those that are usual.
    explained: Vec<Explained>,
    /// The name that the server has given itself.
    server_name: String,
    timings: Timings,
    /// What was said, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<Vec<String>>,
}

/// What a capability means.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    capability: String,
    meaning: &'static str,
    /// The number of the RFC that it is from.
    rfc: Option<u16>,
}

/// Milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timings {
    /// To the reply to LHLO.
    pub(crate) open_ms: u64,
    pub(crate) total_ms: u64,
}

pub(crate) const NOTE: &str = "LMTP (RFC 2033): LHLO in place of EHLO, and an answer for each recipient";

/// Whether a server is there, and what it offers.
#[utoipa::path(
    post,
    path = "/api/lmtp/connect",
    request_body = ConnectRequest,
    responses((status = 200, body = Found), Problems)
)]
pub(crate) async fn by_body(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    if live::is_wanted(&headers) {
        return live::answer(async move |lines| written(by(&shared, &headers, &body, Some(lines)).await));
    }
    by(&shared, &headers, &body, None).await.map(|(status, found)| (status, Json(found))).into_response()
}

async fn by(
    shared: &Shared,
    headers: &HeaderMap,
    body: &[u8],
    lines: Option<Lines>,
) -> Result<(StatusCode, Found), Problem> {
    Ok((StatusCode::OK, connect(shared, Fields::parse(headers, body)?, lines).await?))
}

/// The same, by a query.
#[utoipa::path(
    get,
    path = "/api/lmtp/connect",
    params(ConnectRequest),
    responses((status = 200, body = Found), Problems)
)]
pub(crate) async fn by_query(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|rejection| Problem::new(rejection.status(), "query", rejection.body_text()))?;
    Ok(Json(connect(&shared, Fields::query(query), None).await?).into_response())
}

pub(crate) async fn connect(shared: &Shared, mut fields: Fields, lines: Option<Lines>) -> Result<Found, Problem> {
    let to = Where { lines, ..fields.to(shared, PATIENCE) };
    fields.finish()?;
    shared.usage.count();
    let begun = Instant::now();
    let _place = dial::place(shared, to.patience).await?;
    let dialled = Dialled::new(shared, &to, begun).await?;
    let connected = tokio::time::timeout(dialled.left(), dialled.connect()).await;
    let client = connected
        .unwrap_or_else(|_| Err(dialled.too_late()))
        .map_err(|fault| Problem::upstream(&fault).with(dialled.said()))?;
    let open_ms = milliseconds(begun);
    let capabilities: Vec<String> = match client.capabilities() {
        Some(offered) => offered.extensions().map(|one| one.as_str().to_owned()).collect(),
        None => Vec::new(),
    };
    let (host, port) = to.place.seen();
    let mut found = Found {
        success: true,
        host,
        port,
        protocol: "LMTP",
        greeting: client.greeting().map(full).unwrap_or_default(),
        explained: capabilities.iter().filter_map(explained).collect(),
        capabilities,
        note: NOTE,
        endpoint: dialled.named.clone(),
        server_name: client.capabilities().map(|offered| offered.server().to_owned()).unwrap_or_default(),
        timings: Timings { open_ms, total_ms: 0 },
        transcript: None,
    };
    // It has answered; how it takes leave changes nothing.
    let _ = tokio::time::timeout(dialled.left().min(std::time::Duration::from_secs(1)), client.quit()).await;
    found.timings.total_ms = milliseconds(begun);
    found.transcript = dialled.said();
    Ok(found)
}

#[expect(clippy::ptr_arg, reason = "a method of iterators takes it")]
fn explained(capability: &String) -> Option<Explained> {
    let known = explain::capability(capability.split(' ').next()?)?;
    Some(Explained { capability: capability.clone(), meaning: known.meaning, rfc: known.rfc })
}

impl Place {
    /// As the seed's fields have it.
    pub(crate) fn seen(&self) -> (Option<String>, Option<u16>) {
        match self {
            Self::Tcp { host, port } => (Some(host.clone()), Some(*port)),
            Self::Unix(_) => (None, None),
        }
    }
}

/// A reply with its code, lines joined by CRLF as the seed joins them.
pub(crate) fn full(reply: &lmtp_tokio::Reply) -> String {
    let enhanced = reply.enhanced().map(|code| format!("{code} ")).unwrap_or_default();
    let text = reply.text();
    let lines: Vec<String> = text.lines().map(|line| format!("{} {enhanced}{line}", reply.code())).collect();
    if lines.is_empty() { format!("{} {enhanced}", reply.code()).trim_end().to_owned() } else { lines.join("\r\n") }
}

pub(crate) fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
