//! Who may ask at all: not a page of somebody else's in the browser of somebody who may.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::post;
use subtle::ConstantTimeEq as _;

use crate::intake::Intake;
use crate::rate::Rates;
use crate::{host, login};

/// How a door is set.
#[derive(Debug, Clone)]
pub struct Config {
    /// The names that it is called by in `Host`, beside the loopback ones.
    pub hosts: Vec<String>,
    /// What has to be borne: `Authorization: Bearer`, or by browsers the cookie for it. Nobody is asked without it.
    pub token: Option<String>,
    /// The name of that cookie: each port of a machine sees the cookies of all others.
    pub cookie: &'static str,
    /// Requests in a minute of one client.
    pub per_minute: u32,
    /// Octets of a body.
    pub body: usize,
    /// Octets of all bodies that are read or worked on at once.
    pub bodies: usize,
    /// Paths of pages and their forms. People who have no token see a form for it there; programs are told.
    pub pages: &'static [&'static str],
    /// Paths that anybody may see: what pages look like.
    pub open: &'static [&'static str],
    /// How a refusal is written for programs.
    pub refuse: fn(Refusal) -> Response,
}

/// The door: what is looked at before a request is answered.
#[derive(Debug)]
pub struct Door {
    config: Config,
    intake: Intake,
    clients: Rates,
    form: String,
    pub(crate) session: String,
    pub(crate) cookie: &'static str,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What it is in HTTP.
    pub status: StatusCode,
    /// What it is, for programs.
    pub kind: &'static str,
    /// What it is, for people.
    pub message: String,
    /// When to ask again.
    pub wait: Option<Duration>,
}

impl Refusal {
    /// A refusal that does not go away by waiting.
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), wait: None }
    }

    /// There is too much to do.
    pub fn busy() -> Self {
        let wait = Some(Duration::from_secs(1));
        Self { wait, ..Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "there is too much to do; try again") }
    }

    /// Somebody asks too often.
    pub fn too_often(wait: Duration) -> Self {
        let message = format!("too many requests; try again in {} s", wait.as_secs() + 1);
        Self { wait: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", message) }
    }
}

impl Door {
    /// A door as it is set, with a form token and a session of its own: pages of before are asked to be loaded again.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn new(config: Config) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            intake: Intake::new(config.body, config.bodies),
            clients: Rates::new(config.per_minute),
            form: drawn()?,
            session: drawn()?,
            cookie: config.cookie,
            config,
        }))
    }

    /// The routes behind the door, and its own form for the token.
    pub fn before<S: Clone + Send + Sync + 'static>(self: &Arc<Self>, routes: Router<S>) -> Router<S> {
        let login = Router::new().route("/login", post(login::login)).with_state(Arc::clone(self));
        routes.merge(login).layer(from_fn_with_state(Arc::clone(self), guard))
    }

    /// What forms of ours bear in the field `formToken`.
    pub fn form_token(&self) -> &str {
        &self.form
    }

    /// Whether a form bears it.
    pub fn is_form_token(&self, token: &str) -> bool {
        token.as_bytes().ct_eq(self.form.as_bytes()).into()
    }

    pub(crate) fn is_token(&self, borne: &[u8]) -> bool {
        self.config.token.as_ref().is_some_and(|token| borne.ct_eq(token.as_bytes()).into())
    }

    fn is_among(paths: &[&str], path: &str) -> bool {
        paths.contains(&path)
    }

    fn admit(&self, client: SocketAddr, request: &Request) -> Result<(), Refusal> {
        let refuse = |status, kind, message: &str| Err(Refusal::new(status, kind, message));
        let (headers, path) = (request.headers(), request.uri().path());
        let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
        let host = text(&header::HOST).unwrap_or_default();
        if !host::is_ours(&host, &self.config.hosts) {
            // A name that somebody has let lead here is not ours: DNS rebinding.
            return refuse(StatusCode::MISDIRECTED_REQUEST, "host", "this service is not called by that name");
        }
        let is_foreign = text(&header::ORIGIN)
            .is_some_and(|origin| origin != format!("http://{host}") && origin != format!("https://{host}"));
        let fetch = |name: &'static str| text(&HeaderName::from_static(name)).unwrap_or_default();
        let is_elsewhere = !matches!(fetch("sec-fetch-site").as_str(), "" | "same-origin" | "none");
        // A link to a page may stand anywhere: who follows it sees the page, and the other site does not.
        let is_link = request.method() == Method::GET
            && Self::is_among(self.config.pages, path)
            && (fetch("sec-fetch-mode").as_str(), fetch("sec-fetch-dest").as_str()) == ("navigate", "document");
        if is_foreign || is_elsewhere && !is_link {
            return refuse(StatusCode::FORBIDDEN, "origin", "another site may not ask this service");
        }
        // Before the token is looked at: who guesses is counted, too.
        self.clients.take(network(client.ip()), Instant::now()).map_err(Refusal::too_often)?;
        let is_open = path == "/login" || Self::is_among(self.config.open, path);
        if self.config.token.is_some() && !is_open && !self.is_known(headers) {
            return refuse(StatusCode::UNAUTHORIZED, "token", "a token is needed: Authorization: Bearer");
        }
        Ok(())
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let borne = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let session = login::cookie(headers, self.cookie).unwrap_or_default();
        borne.is_some_and(|borne| self.is_token(borne)) || session.as_bytes().ct_eq(self.session.as_bytes()).into()
    }
}

/// Looks at a request before anything else does, reads its body, and puts headers on the answer.
async fn guard(
    State(door): State<Arc<Door>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let is_page = Door::is_among(door.config.pages, request.uri().path());
    let answered = match door.admit(client, &request) {
        Ok(()) => match door.intake.read(request).await {
            Ok(taken) => Ok(next.run(taken.request).await),
            Err(refusal) => Err(refusal),
        },
        Err(refusal) => Err(refusal),
    };
    let mut response = match answered {
        Ok(response) => response,
        Err(refusal) if refusal.kind == "token" && is_page => {
            login::form(refusal.status, "This service asks for its token.")
        }
        Err(refusal) => {
            let (status, wait) = (refusal.status, refusal.wait);
            let mut response = (door.config.refuse)(refusal);
            let headers = response.headers_mut();
            if let Some(wait) = wait {
                headers.insert(header::RETRY_AFTER, (wait.as_secs() + 1).into());
            }
            if status == StatusCode::UNAUTHORIZED {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            response
        }
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
        // Pages have a policy of their own.
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whose address that is: an IPv6 client has a whole network of them.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        address @ IpAddr::V4(_) => address.to_string(),
    }
}

/// Sixteen octets in hexadecimal that nobody can guess.
fn drawn() -> std::io::Result<String> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).map_err(std::io::Error::other)?;
    Ok(octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    }))
}
