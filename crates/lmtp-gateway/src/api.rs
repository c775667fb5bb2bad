//! The description of the routes (`OpenAPI` 3.1), for programs that make clients out of it.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, Modify, OpenApi, ToSchema};

use crate::{connect, problem, send, usage};

/// What may be asked, and what is answered.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "LMTP gateway",
        description = "Probe LMTP servers (RFC 2033) and send messages to them: an answer for every recipient."
    ),
    paths(connect::by_query, connect::by_body, send::send, usage::usage),
    components(schemas(connect::Found, send::Sent, problem::Written<'static>, ConnectRequest, SendRequest)),
    modifiers(&Whole)
)]
struct Api;

/// What types cannot say: a message is sent with the fields of a probe, and other fields are refused.
struct Whole;

impl Modify for Whole {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let Some(components) = &mut api.components else { return };
        let mut server = Vec::new();
        for name in ["ConnectRequest", "SendRequest"] {
            let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) else { continue };
            object.properties.extend(server.drain(..));
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            server = object.properties.clone().into_iter().collect();
        }
    }
}

/// The description as JSON.
pub(crate) fn text() -> String {
    // Only maps with strings for keys are in it.
    Api::openapi().to_pretty_json().unwrap_or_default()
}

pub(crate) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text()).into_response()
}

// The fields are read by hand, so that each that is wrong is named (`request.rs`); a test compares them with these.

/// Whom to ask.
#[derive(ToSchema, IntoParams)]
#[schema(rename_all = "camelCase")]
#[into_params(rename_all = "camelCase", parameter_in = Query)]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(crate) struct ConnectRequest {
    /// A name or an address that this gateway may dial. Needed, unless `unixName` is there.
    #[schema(nullable = false, example = "mail.example.org")]
    host: Option<String>,
    /// Its port; never 25.
    #[schema(default = 24, minimum = 1, maximum = 65535)]
    #[param(minimum = 1, maximum = 65535)]
    port: Option<u16>,
    /// A Unix socket, by the name that this gateway knows it by; in place of `host`.
    unix_name: Option<String>,
    /// How the connection is encrypted.
    #[schema(inline)]
    #[param(inline)]
    tls: Option<Encryption>,
    /// Authorities to trust, by the name that this gateway knows them by; with `tls`.
    ca_name: Option<String>,
    /// Milliseconds for all of it.
    #[schema(minimum = 1)]
    #[param(minimum = 1)]
    timeout: Option<u64>,
    /// Whether to answer with the conversation as well.
    transcript: Option<bool>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(crate) enum Encryption {
    None,
    StartTls,
    Tls,
}

/// What to send and to whom; the server is described by the same fields as in a probe.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it describes what is read by hand")]
pub(crate) struct SendRequest {
    /// The sender; "" is the null sender of bounces.
    #[schema(example = "ann@example.org")]
    from: String,
    /// One recipient, or several.
    #[schema(schema_with = one_or_several)]
    to: Vec<String>,
    /// With `body`, in place of `raw`.
    subject: Option<String>,
    /// Text; with `subject`.
    body: Option<String>,
    /// A whole message, with its header; in place of `subject` and `body`.
    raw: Option<String>,
    /// A whole message in base64, whatever octets are in it.
    raw_base64: Option<String>,
}

/// An address, or several.
fn one_or_several() -> Schema {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let several = ArrayBuilder::new().items(text()).min_items(Some(1));
    OneOfBuilder::new().item(text()).item(several).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes a type sees what changes for clients.
    #[test]
    fn the_description_that_is_kept_is_that_of_the_types() {
        let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let now = format!("{}\n", text());
        if std::env::var_os("LMTP_WRITE_OPENAPI").is_some() {
            std::fs::write(kept, &now).unwrap();
        }
        let kept = std::fs::read_to_string(kept).unwrap_or_default();
        assert!(kept == now, "openapi.json is another one; write it with LMTP_WRITE_OPENAPI=1 and look at it");
    }
}
