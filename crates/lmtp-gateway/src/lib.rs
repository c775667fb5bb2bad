#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[expect(unused_qualifications, reason = "the derive of schemas writes them")]
mod api;
mod compose;
mod connect;
mod dial;
pub mod explain;
mod live;
mod page;
mod policy;
#[expect(unused_qualifications, reason = "the derive of schemas writes them")]
mod problem;
mod request;
mod resolver;
mod send;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::{get, post};
use lmtp_web::{Door, Rates};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

use crate::problem::Problem;
use crate::usage::Usage;

pub use policy::{InvalidTarget, Policy, Refused, Target};
pub use resolver::Resolver;

/// How a gateway behaves. By default it dials nobody.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whom it may dial over TCP.
    pub policy: Policy,
    /// Who knows the addresses of names.
    pub resolver: Resolver,
    /// Unix sockets, by the names that requests call them.
    pub unix: BTreeMap<String, PathBuf>,
    /// Files with authorities to trust in TLS, by the names that requests call them.
    pub authorities: BTreeMap<String, PathBuf>,
    /// What has to stand in `Authorization: Bearer`; nobody is asked without it.
    pub token: Option<String>,
    /// The names that it is called by in `Host`, beside the loopback ones.
    pub hosts: Vec<String>,
    /// Octets of a request.
    pub body: usize,
    /// Octets of all requests that are read or worked on at once; more of them wait.
    pub bodies: usize,
    /// Recipients of a message.
    pub recipients: usize,
    /// Requests that dial, at once; more of them wait, within their time.
    pub concurrency: usize,
    /// The longest that a request may ask to wait.
    pub longest: Duration,
    /// Requests in a minute, of one client and for one target.
    pub per_minute: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            resolver: Resolver::default(),
            unix: BTreeMap::new(),
            authorities: BTreeMap::new(),
            token: None,
            hosts: Vec::new(),
            body: 10 * 1024 * 1024,
            bodies: 64 * 1024 * 1024,
            recipients: 100,
            concurrency: 20,
            longest: Duration::from_secs(120),
            per_minute: 60,
        }
    }
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) door: Arc<Door>,
    pub(crate) places: Semaphore,
    pub(crate) targets: Rates,
    pub(crate) usage: Usage,
}

impl Shared {
    fn new(config: Config) -> std::io::Result<Self> {
        let door = Door::new(lmtp_web::Config {
            hosts: config.hosts.clone(),
            token: config.token.clone(),
            cookie: "lmtp-gateway",
            per_minute: config.per_minute,
            body: config.body,
            bodies: config.bodies,
            pages: PAGES,
            open: &["/page.css", "/favicon.ico"],
            refuse: |refusal| Problem::from(refusal).into_response(),
        })?;
        Ok(Self {
            places: Semaphore::new(config.concurrency.min(Semaphore::MAX_PERMITS)),
            targets: Rates::new(config.per_minute),
            usage: Usage::default(),
            door,
            config,
        })
    }
}

/// The pages, and the forms of those without scripts.
const PAGES: &[&str] = &["/", "/probe", "/deliver"];

/// The routes of a gateway, to be served by [`serve`] or with the address of each client
/// (`into_make_service_with_connect_info::<SocketAddr>()`).
///
/// # Errors
///
/// The system has no random numbers.
pub fn router(config: Config) -> std::io::Result<Router> {
    let shared = Arc::new(Shared::new(config)?);
    let door = Arc::clone(&shared.door);
    let routes = Router::new()
        .route("/api/lmtp/connect", get(connect::by_query).post(connect::by_body))
        .route("/api/lmtp/send", post(send::send))
        .route("/api/usage", get(usage::usage))
        .route("/openapi.json", get(api::document))
        .route("/lmtp", get(usage::bare))
        .route("/", get(page::page))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/probe", post(page::probe))
        .route("/deliver", post(page::deliver))
        .fallback(async || Problem::nothing_here())
        .method_not_allowed_fallback(async || Problem::method())
        // The door has read the body by then.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(|_| Problem::ours().into_response()))
        .with_state(shared);
    Ok(door.before(routes))
}

/// Serves a gateway until `end` is there, and then those requests that have begun.
///
/// # Errors
///
/// It can listen no longer.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    end: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    lmtp_web::serve(listener, router(config)?, end).await
}
