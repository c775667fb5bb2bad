//! How often this gateway was asked, and what it says of itself to programs that come to its bare path.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::Shared;
use crate::problem::Problems;

/// Conversations that were asked for and that nothing was wrong with.
#[derive(Debug, Default)]
pub(crate) struct Usage(AtomicU64);

impl Usage {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// How often a protocol was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Used {
    #[schema(example = "LMTP")]
    protocol: &'static str,
    count: u64,
}

/// How often servers were dialled since this gateway began.
#[utoipa::path(get, path = "/api/usage", responses((status = 200, body = [Used]), Problems))]
pub(crate) async fn usage(State(shared): State<Arc<Shared>>) -> Json<[Used; 1]> {
    Json([Used { protocol: "LMTP", count: shared.usage.0.load(Ordering::Relaxed) }])
}

const MANUAL: &str = "\
LMTP(24)

NAME
    LMTP - Local Mail Transfer Protocol, RFC 2033, port 24

SYNOPSIS
    curl 'http://HOST/api/lmtp/connect?host=SERVER&port=24'
    curl -H 'Content-Type: application/json' http://HOST/api/lmtp/send \\
         -d '{\"host\":\"SERVER\",\"from\":\"FROM\",\"to\":[\"TO\"],\"subject\":\"SUBJECT\",\"body\":\"TEXT\"}'

ENDPOINTS
    GET, POST  /api/lmtp/connect   is it there, and what does it offer
    POST       /api/lmtp/send      a message, and an answer for each recipient
    GET        /api/usage          how often it was asked
    GET        /openapi.json       all of it, for programs
    GET        /                   a page for people
";

/// For people the page, for programs a manual or, if they ask for it, JSON.
pub(crate) async fn bare(Query(query): Query<Vec<(String, String)>>, headers: HeaderMap) -> Response {
    let format = query.iter().find(|(name, _)| name == "format").map(|(_, format)| format.as_str());
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepted = text(header::ACCEPT);
    let is_browser = accepted.contains("text/html") || text(header::USER_AGENT).starts_with("Mozilla/");
    match format {
        Some("json") => described(),
        Some(_) => MANUAL.into_response(),
        None if accepted.contains("application/json") => described(),
        None if is_browser => Redirect::to("/").into_response(),
        None => MANUAL.into_response(),
    }
}

fn described() -> Response {
    Json(json!({
        "protocol": "lmtp",
        "name": "LMTP",
        "fullName": "Local Mail Transfer Protocol",
        "defaultPort": 24,
        "shortRoute": false,
        "endpoints": [
            { "method": "GET", "path": "/api/lmtp/connect" },
            { "method": "POST", "path": "/api/lmtp/connect" },
            { "method": "POST", "path": "/api/lmtp/send" },
        ],
    }))
    .into_response()
}
