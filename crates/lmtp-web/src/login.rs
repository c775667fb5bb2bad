//! Logging in with a browser: the token once, and from then on a cookie that is not the token.

use std::sync::Arc;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use crate::door::Door;

/// The form.
pub(crate) fn form(status: StatusCode, why: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>LMTP: token</title>\
         <link rel=\"stylesheet\" href=\"/page.css\"></head><body><main><h1>LMTP</h1><p>{why}</p>\
         <form action=\"/login\" method=\"post\"><label>Token <input name=\"token\" type=\"password\" required></label>\
         <button>Go on</button></form></main></body></html>"
    );
    let mut response = (status, Html(page)).into_response();
    let policy = "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    response.headers_mut().insert("content-security-policy", HeaderValue::from_static(policy));
    response
}

/// Takes the form, and gives the cookie to who knows the token.
pub(crate) async fn login(State(door): State<Arc<Door>>, Form(fields): Form<Vec<(String, String)>>) -> Response {
    let token = fields.iter().find(|(name, _)| name == "token").map_or("", |(_, token)| token);
    if !door.is_token(token.trim().as_bytes()) {
        return form(StatusCode::UNAUTHORIZED, "That is not the token. It stands in the file that --token-file names.");
    }
    // No other site's requests bear it, and no script reads it.
    let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", door.cookie, door.session);
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, cookie.as_str()), (header::LOCATION, "/")]).into_response()
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    pairs.flat_map(|pairs| pairs.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("lmtp-x=1; lmtp=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("other=3"));
        assert_eq!(cookie(&headers, "lmtp"), Some("2"));
        assert_eq!(cookie(&headers, "other"), Some("3"));
        assert_eq!(cookie(&headers, "x"), None);
    }
}
