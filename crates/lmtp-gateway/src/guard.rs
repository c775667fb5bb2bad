//! Who may ask at all: not a page of somebody else's in the browser of somebody who may.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use crate::Shared;
use crate::problem::Problem;

/// Looks at a request before anything else does, and puts headers on the answer.
pub(crate) async fn guard(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match admit(&shared, client, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
        // With no-referrer browsers would send `Origin: null` with our own forms.
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        // The page has a policy of its own.
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn admit(shared: &Shared, client: SocketAddr, request: &Request) -> Result<(), Problem> {
    let refuse = |status, kind, message: &str| Err(Problem::new(status, kind, message));
    let headers = request.headers();
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
    let host = text(header::HOST).unwrap_or_default();
    if !shared.is_ours(&host) {
        // A name that somebody has let lead here is not ours: DNS rebinding.
        return refuse(StatusCode::MISDIRECTED_REQUEST, "host", "this gateway is not called by that name");
    }
    let is_foreign = text(header::ORIGIN)
        .is_some_and(|origin| origin != format!("http://{host}") && origin != format!("https://{host}"));
    let site = text(HeaderName::from_static("sec-fetch-site"));
    if is_foreign || site.is_some_and(|site| !matches!(site.as_str(), "same-origin" | "none")) {
        return refuse(StatusCode::FORBIDDEN, "origin", "another site may not ask this gateway");
    }
    // Before the token is looked at: who guesses is counted, too.
    shared.clients.take(network(client.ip()), Instant::now()).map_err(Problem::too_often)?;
    if let Some(token) = &shared.config.token
        && !is_borne(headers, token)
    {
        return refuse(StatusCode::UNAUTHORIZED, "token", "a token is needed: Authorization: Bearer");
    }
    // JSON is what a form of another site cannot send without being asked about. Our own forms bear a token.
    let is_form = matches!(request.uri().path(), "/probe" | "/deliver");
    if request.method() == Method::POST && !is_form && !is_json(headers) {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "write Content-Type: application/json");
    }
    Ok(())
}

/// Whose address that is: an IPv6 client has a whole network of them.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        address @ IpAddr::V4(_) => address.to_string(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

fn is_borne(headers: &HeaderMap, token: &str) -> bool {
    let borne = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    borne.is_some_and(|borne| borne.ct_eq(token.as_bytes()).into())
}

impl Shared {
    /// Whether a `Host` is one of our names: a loopback one, or one that was set.
    fn is_ours(&self, host: &str) -> bool {
        let bare = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
            _ => host,
        };
        let is_loopback = crate::policy::literal(bare).is_some_and(|address| address.is_loopback());
        let is_set = |ours: &String| ours.eq_ignore_ascii_case(host) || ours.eq_ignore_ascii_case(bare);
        is_loopback || bare.eq_ignore_ascii_case("localhost") || self.config.hosts.iter().any(is_set)
    }
}
