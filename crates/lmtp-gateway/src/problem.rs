//! What went wrong, for programs and for people.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lmtp_tokio::{Fault, FaultKind};
use lmtp_web::Refusal;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{self, Content, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// What went wrong: the answer to a request that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    phase: Option<&'static str>,
    fields: Vec<Field>,
    message: String,
    /// What was said until then, if it was asked for.
    transcript: Option<Vec<String>>,
}

/// What is wrong with a field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Field {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

/// Why there is no answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(crate) struct Written<'a> {
    /// False.
    success: bool,
    /// The same as `message`, for clients of before.
    error: &'a str,
    /// What it is: `validation`, `policy`, `timeout`, `connect` and so on.
    kind: &'a str,
    /// Where the conversation was.
    phase: Option<&'a str>,
    /// The first field that is wrong.
    field: Option<&'a str>,
    /// What it is, for people.
    message: &'a str,
    /// Every field that is wrong.
    fields: &'a [Field],
    /// What was said until then, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<&'a [String]>,
}

/// What may be answered in place of an answer, whatever was asked.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let problem = |(status, what): (&str, &str)| {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            let response = ResponseBuilder::new().description(what).content("application/json", content).build();
            (status.to_owned(), RefOr::T(response))
        };
        [
            ("400", "Fields are wrong, all of them named, or the request is none."),
            ("401", "The token is missing."),
            ("403", "The target may not be dialled, or another site asks."),
            ("408", "The request takes too long to arrive."),
            ("413", "The request is too large."),
            ("415", "The request is no JSON."),
            ("421", "The gateway is not called by that name."),
            ("429", "Too many requests: see Retry-After."),
            ("502", "The server or the line is at fault."),
            ("504", "The time is up."),
        ]
        .map(problem)
        .into()
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, phase: None, fields: Vec::new(), message: message.into(), transcript: None }
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

    /// With what was said until then.
    pub(crate) fn with(self, transcript: Option<Vec<String>>) -> Self {
        Self { transcript, ..self }
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
            transcript: self.transcript.as_deref(),
        }
    }

    /// A fault of this gateway.
    pub(crate) fn ours() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this gateway has a fault; please report it")
    }

    pub(crate) fn nothing_here() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "there is nothing here")
    }

    pub(crate) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this cannot be asked by that method")
    }
}

/// An answer, or why there is none, as it is written.
pub(crate) fn written(answer: Result<(StatusCode, impl Serialize), Problem>) -> (StatusCode, Value) {
    // Only strings and numbers are in them.
    match answer {
        Ok((status, answer)) => (status, serde_json::to_value(answer).unwrap_or_default()),
        Err(problem) => (problem.status, serde_json::to_value(problem.written()).unwrap_or_default()),
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

/// What is refused at the door.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.status, refusal.kind, refusal.message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self.written())).into_response()
    }
}
