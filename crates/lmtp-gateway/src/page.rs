//! The page for people: with scripts it asks the same routes as everybody; without them its forms are answered with a
//! page.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use lmtp_web::escaped;
use serde_json::Value;

use crate::problem::{Problem, written};
use crate::request::Fields;
use crate::{Shared, connect, send};

const PAGE: &str = include_str!("page/index.html");
/// The fields for a server, which both forms have: without scripts each stands alone.
const SERVER: &str = include_str!("page/server.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
/// Nothing but what is served here.
const POLICY: &str = "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The page.
pub(crate) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let options = |names: Vec<&String>| {
        let option = |name: &String| format!("<option>{}</option>", escaped(name));
        names.into_iter().map(option).collect::<String>()
    };
    let page = PAGE
        .replace("@SERVER@", SERVER)
        .replace("@TOKEN@", shared.door.form_token())
        .replace("@SOCKETS@", &options(shared.config.unix.keys().collect()))
        .replace("@AUTHORITIES@", &options(shared.config.authorities.keys().collect()));
    shown(StatusCode::OK, page)
}

pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

pub(crate) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

type Filled = Result<Form<Vec<(String, String)>>, FormRejection>;

/// The first form, without scripts.
pub(crate) async fn probe(State(shared): State<Arc<Shared>>, form: Filled) -> Response {
    let found = match fields(&shared, form) {
        Ok(fields) => connect::connect(&shared, fields, None).await.map(|found| (StatusCode::OK, found)),
        Err(problem) => Err(problem),
    };
    answered("The server", written(found))
}

/// The second.
pub(crate) async fn deliver(State(shared): State<Arc<Shared>>, form: Filled) -> Response {
    let sent = match fields(&shared, form) {
        Ok(fields) => send::deliver(&shared, fields, None).await,
        Err(problem) => Err(problem),
    };
    answered("The message", written(sent))
}

/// The fields of a form that came from our page.
fn fields(shared: &Shared, form: Filled) -> Result<Fields, Problem> {
    let Form(mut pairs) = form.map_err(|rejection| Problem::new(rejection.status(), "form", rejection.body_text()))?;
    let token = pairs.iter().position(|(name, _)| name == "formToken").map(|place| pairs.remove(place).1);
    let is_ours = token.is_some_and(|token| shared.door.is_form_token(&token));
    if !is_ours {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "form",
            "this form is not from this gateway, or from before it was started again",
        ));
    }
    // What is left empty in a form is not said; a sender, a subject and a text may be empty.
    pairs.retain(|(name, value)| !value.is_empty() || matches!(name.as_str(), "from" | "subject" | "body"));
    if pairs.iter().any(|(name, _)| name == "unixName") {
        pairs.retain(|(name, _)| !matches!(name.as_str(), "host" | "port" | "tls" | "caName"));
    }
    if pairs.iter().any(|(name, value)| name == "tls" && value == "none") {
        pairs.retain(|(name, _)| name != "caName");
    }
    Ok(Fields::form(pairs))
}

/// A page with the answer.
fn answered(title: &str, (status, answer): (StatusCode, Value)) -> Response {
    let mut body = String::new();
    let text = |value: &Value, otherwise: &str| escaped(value.as_str().unwrap_or(otherwise));
    // Writing to a String cannot fail.
    if let Some(recipients) = answer["deliveryStatus"].as_array() {
        body.push_str("<table><tr>");
        for head in ["Recipient", "Outcome", "Answer", "Meaning"] {
            let _ = write!(body, "<th scope=\"col\">{head}</th>");
        }
        body.push_str("</tr>");
        for told in recipients {
            let outcome = text(&told["outcome"], "");
            let _ = write!(
                body,
                "<tr><td>{}</td><td><b class=\"{outcome}\">{outcome}</b></td><td>{}</td><td>{}</td></tr>",
                text(&told["recipient"], ""),
                text(&told["message"], "(none)"),
                text(&told["meaning"], ""),
            );
        }
        body.push_str("</table>");
    }
    if let Some(greeting) = answer["greeting"].as_str() {
        let _ = write!(body, "<p>{}</p><ul>", escaped(greeting));
        let explained = answer["explained"].as_array().map(Vec::as_slice).unwrap_or_default();
        for capability in answer["capabilities"].as_array().into_iter().flatten() {
            let _ = write!(body, "<li>{}", text(capability, ""));
            if let Some(known) = explained.iter().find(|known| known["capability"] == *capability) {
                let _ = write!(body, ": {}", text(&known["meaning"], ""));
                if let Some(rfc) = known["rfc"].as_u64() {
                    let _ = write!(body, " (<a href=\"https://www.rfc-editor.org/rfc/rfc{rfc}\">RFC {rfc}</a>)");
                }
            }
            body.push_str("</li>");
        }
        body.push_str("</ul>");
    }
    if answer["error"].is_string() {
        let _ = write!(body, "<p class=\"error\" role=\"alert\">{}</p>", text(&answer["error"], ""));
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>LMTP: {title}</title>\
         <link rel=\"stylesheet\" href=\"/page.css\"></head><body><main><h1>{title}</h1>{body}\
         <p><a href=\"/\">Back</a></p></main></body></html>"
    );
    shown(status, page)
}

fn shown(status: StatusCode, page: String) -> Response {
    let mut response = (status, Html(page)).into_response();
    response.headers_mut().insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(POLICY));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy forbids what is written into a page.
    #[test]
    fn nothing_is_written_into_the_page() {
        for forbidden in ["<style", "style=", "onclick", "javascript:", "=\"http://", "src=\"http"] {
            assert!(!PAGE.contains(forbidden) && !SERVER.contains(forbidden), "{forbidden}");
        }
        assert_eq!(PAGE.matches("<script").count(), 1);
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("eval("));
    }
}
