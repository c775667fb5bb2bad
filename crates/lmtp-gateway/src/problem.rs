//! What went wrong, for programs and for people.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lmtp_tokio::{Fault, FaultKind};
use serde::Serialize;

/// What went wrong: the answer to a request that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    phase: Option<&'static str>,
    fields: Vec<Field>,
    message: String,
    /// When to ask again, in seconds.
    retry_after: Option<u64>,
}

/// What is wrong with a field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Field {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// As it is written. `error` is the text that clients of the seed show.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    success: bool,
    error: &'a str,
    kind: &'a str,
    phase: Option<&'a str>,
    field: Option<&'a str>,
    message: &'a str,
    fields: &'a [Field],
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, phase: None, fields: Vec::new(), message: message.into(), retry_after: None }
    }

    /// Every field of a request that is wrong.
    pub(crate) fn fields(status: StatusCode, fields: Vec<Field>) -> Self {
        let message = fields.iter().map(|field| format!("{}: {}", field.field, field.message)).collect::<Vec<_>>();
        Self { fields, ..Self::new(status, "validation", message.join("; ")) }
    }

    /// A server that could not be spoken with.
    pub(crate) fn upstream(fault: &Fault) -> Self {
        let phase = Some(fault.phase().name());
        Self { phase, ..Self::new(status_of(fault), fault.kind().name(), fault.message()) }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// As it is written.
    pub(crate) fn value(&self) -> serde_json::Value {
        // Only strings are in it.
        serde_json::to_value(self.written()).unwrap_or_default()
    }

    fn written(&self) -> Written<'_> {
        Written {
            success: false,
            error: &self.message,
            kind: self.kind,
            phase: self.phase,
            field: self.fields.first().map(|field| field.field),
            message: &self.message,
            fields: &self.fields,
        }
    }

    /// Who asks too often.
    pub(crate) fn too_often(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let message = format!("too many requests; try again in {seconds} s");
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", message) }
    }

    pub(crate) fn nothing_here() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here")
    }

    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this cannot be asked by that method")
    }
}

/// 504 for a server that takes too long, 502 for all other faults of it or of the way to it.
pub(crate) fn status_of(fault: &Fault) -> StatusCode {
    match fault.kind() {
        FaultKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        // The message is the request's.
        FaultKind::Body | FaultKind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// A body that cannot be read, or is too large.
impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "size", "the request is larger than this gateway takes")
            }
            status => Self::new(status, "body", rejection.body_text()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.written())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
