#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod compose;
mod connect;
mod dial;
mod guard;
mod page;
mod policy;
mod problem;
mod rate;
mod request;
mod send;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::problem::Problem;
use crate::rate::Rates;

pub use policy::{InvalidTarget, Policy, Refused, Target};

/// How a gateway behaves. By default it dials nobody.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Whom it may dial over TCP.
    pub policy: Policy,
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
    /// Recipients of a message.
    pub recipients: usize,
    /// Requests that dial, at once.
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
            unix: BTreeMap::new(),
            authorities: BTreeMap::new(),
            token: None,
            hosts: Vec::new(),
            body: 10 * 1024 * 1024,
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
    pub(crate) places: Semaphore,
    pub(crate) clients: Rates,
    pub(crate) targets: Rates,
    /// What our own forms bear.
    pub(crate) form_token: String,
}

/// The routes of a gateway, to be served by axum with the address of each client
/// (`into_make_service_with_connect_info::<SocketAddr>()`).
pub fn router(config: Config) -> Router {
    let shared = Arc::new(Shared {
        places: Semaphore::new(config.concurrency.min(Semaphore::MAX_PERMITS)),
        clients: Rates::new(config.per_minute),
        targets: Rates::new(config.per_minute),
        form_token: form_token(),
        config,
    });
    let body = DefaultBodyLimit::max(shared.config.body);
    Router::new()
        .route("/api/lmtp/connect", get(connect::by_query).post(connect::by_body))
        .route("/api/lmtp/send", post(send::send))
        .route("/", get(page::page))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/probe", post(page::probe))
        .route("/deliver", post(page::deliver))
        .fallback(async || Problem::nothing_here())
        .method_not_allowed_fallback(async || Problem::method())
        .layer(body)
        .layer(from_fn_with_state(Arc::clone(&shared), guard::guard))
        .with_state(shared)
}

/// Another one each time: pages of before are asked to be loaded again.
fn form_token() -> String {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    // The keys of each state are drawn at random by the system.
    let part = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", part(), part())
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
    let routes = router(config).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, routes).with_graceful_shutdown(end).await
}
