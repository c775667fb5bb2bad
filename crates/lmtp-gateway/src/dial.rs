//! A connection to a server that may be dialled.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use lmtp_tokio::proto::value::LhloName;
use lmtp_tokio::{Builder, Client, Endpoint, Fault, FaultKind, Handle, LineEndings, Phase, Security, Timeouts};
use lmtp_web::Refusal;
use tokio::sync::SemaphorePermit;

use crate::Shared;
use crate::live::Lines;
use crate::policy::{Refused, literal};
use crate::problem::Problem;
use crate::request::{Place, Where};

/// The conversation, if it was asked for.
pub(crate) type Transcript = Arc<Mutex<Vec<String>>>;

/// What is dialled.
pub(crate) struct Dialled {
    /// The endpoints to try, in this order; a checked address stands in each.
    endpoints: Vec<Endpoint>,
    /// As the request names it.
    pub(crate) named: String,
    deadline: Instant,
    pub(crate) handle: Handle,
    pub(crate) transcript: Option<Transcript>,
    lines: Option<Lines>,
    #[cfg(feature = "rustls")]
    tls: Option<lmtp_tokio::ClientTls>,
}

impl Dialled {
    /// Looks the server up, and at whether it may be dialled.
    pub(crate) async fn new(shared: &Shared, to: &Where, begun: Instant) -> Result<Self, Problem> {
        let refused = |refused: Refused| Problem::new(StatusCode::FORBIDDEN, "policy", refused.to_string());
        let too_often = |wait| Problem::from(Refusal::too_often(wait));
        let deadline = begun + to.patience;
        let scheme = match to.security {
            Security::Plain => "lmtp",
            Security::StartTls => "lmtp+starttls",
            Security::Tls => "lmtps",
        };
        let (named, texts) = match &to.place {
            Place::Unix(name) => {
                shared.targets.take(format!("unix {name}"), Instant::now()).map_err(too_often)?;
                let path = shared.config.unix.get(name).map(|path| format!("unix:{}", path.display()));
                (format!("unix:{name}"), path.into_iter().collect())
            }
            Place::Tcp { host, port } => {
                shared.config.policy.lookup(host, *port).map_err(refused)?;
                let found = found(shared, host, to.patience).await.map_err(|fault| Problem::upstream(&fault))?;
                let allowed = shared.config.policy.addresses(host, *port, &found).map_err(refused)?;
                // By where it leads, whatever it is called.
                let key = allowed.first().map(|address| format!("{address} {port}")).unwrap_or_default();
                shared.targets.take(key, Instant::now()).map_err(too_often)?;
                let text = |address: IpAddr| match address {
                    IpAddr::V4(address) => format!("{scheme}://{address}:{port}"),
                    IpAddr::V6(address) => format!("{scheme}://[{address}]:{port}"),
                };
                (format!("{scheme}://{host}:{port}"), allowed.into_iter().map(text).collect::<Vec<_>>())
            }
        };
        let endpoints = texts.iter().filter_map(|text| text.parse().ok()).collect();
        Ok(Self {
            endpoints,
            named,
            deadline,
            handle: Handle::new(),
            transcript: to.transcript.then(Transcript::default),
            lines: to.lines.clone(),
            #[cfg(feature = "rustls")]
            tls: tls(shared, to)?,
        })
    }

    /// Connects to the first that answers. Each has its share of the time that is left.
    pub(crate) async fn connect(&self) -> Result<Client, Fault> {
        let mut last = Fault::new(FaultKind::Connect, Phase::Connect, "there is nobody to dial");
        for (endpoint, to_try) in self.endpoints.iter().zip((1..=self.endpoints.len()).rev()) {
            let share = self.left() / u32::try_from(to_try).unwrap_or(u32::MAX);
            let builder = self
                .builder(endpoint, share)
                .map_err(|error| Fault::new(FaultKind::Usage, Phase::Connect, error.to_string()))?;
            match builder.connect().await {
                Ok(client) => return Ok(client),
                Err(fault) if fault.phase() == Phase::Connect => last = fault,
                Err(fault) => return Err(fault),
            }
        }
        Err(last)
    }

    fn builder(&self, endpoint: &Endpoint, share: Duration) -> Result<Builder, lmtp_tokio::Error> {
        // The request as a whole has a deadline; this bounds each step of it.
        let mut timeouts = Timeouts::all(self.left());
        timeouts.connect = share;
        let lhlo: LhloName = "lmtp-gateway.localhost".parse().unwrap_or_default();
        let builder = Client::builder(endpoint.clone())?.timeouts(timeouts).lhlo_name(lhlo);
        let builder = builder.line_endings(LineEndings::Convert).handle(&self.handle);
        let (transcript, lines) = (self.transcript.clone(), self.lines.clone());
        let builder = match (&transcript, &lines) {
            (None, None) => builder,
            _ => builder.on_line(move |line| {
                for line in line.to_string().lines() {
                    if let Some(transcript) = &transcript {
                        transcript.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
                    }
                    // Who is gone hears nothing.
                    let _ = lines.as_ref().map(|lines| lines.send(line.to_owned()));
                }
            }),
        };
        #[cfg(feature = "rustls")]
        if let Some(tls) = &self.tls {
            return Ok(builder.tls(tls.clone()));
        }
        Ok(builder)
    }

    /// The time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// The conversation so far, a line each.
    pub(crate) fn said(&self) -> Option<Vec<String>> {
        Some(self.transcript.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// The addresses of a host, once.
async fn found(shared: &Shared, host: &str, patience: Duration) -> Result<Vec<IpAddr>, Fault> {
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    let failed = |kind, why: String| Fault::new(kind, Phase::Connect, format!("{host}: {why}"));
    match tokio::time::timeout(patience, shared.config.resolver.ask(host)).await {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(failed(FaultKind::Resolve, error.to_string())),
        Err(_) => Err(failed(FaultKind::Timeout, "looking up the name takes too long".into())),
    }
}

/// How to do TLS: the certificate is to be for the host that was named, not for the address that is dialled.
#[cfg(feature = "rustls")]
fn tls(shared: &Shared, to: &Where) -> Result<Option<lmtp_tokio::ClientTls>, Problem> {
    let Place::Tcp { host, .. } = &to.place else { return Ok(None) };
    if to.security == Security::Plain {
        return Ok(None);
    }
    let mut tls = lmtp_tokio::ClientTls::builder();
    if literal(host).is_none() {
        tls = tls.server_name(host.as_str());
    }
    if let Some(file) = to.authority.as_ref().and_then(|name| shared.config.authorities.get(name)) {
        tls = tls.ca_file(file);
    }
    tls.build().map(Some).map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "tls", error.to_string()))
}

/// A place among the requests that dial, once there is one.
pub(crate) async fn place(shared: &Shared, patience: Duration) -> Result<SemaphorePermit<'_>, Problem> {
    match tokio::time::timeout(patience, shared.places.acquire()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Refusal::busy().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Policy, Resolver, Shared};

    /// Among several addresses those are dialled that may be, in whatever order they come.
    #[tokio::test]
    async fn beside_a_public_address_a_special_one_is_left_out() {
        let public: IpAddr = "9.9.9.9".parse().unwrap();
        for special in ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "fd00::1"] {
            let special: IpAddr = special.parse().unwrap();
            for found in [vec![public, special], vec![special, public]] {
                for rules in [&["mail.example.org"][..], &["0.0.0.0/0", "::/0"]] {
                    let answer = found.clone();
                    let config = Config {
                        policy: Policy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect()),
                        resolver: Resolver::new(move |_| std::future::ready(Ok(answer.clone()))),
                        ..Config::default()
                    };
                    let shared = Shared::new(config).unwrap();
                    let to = Where {
                        place: Place::Tcp { host: "mail.example.org".into(), port: 24 },
                        security: Security::Plain,
                        authority: None,
                        patience: Duration::from_secs(1),
                        transcript: false,
                        lines: None,
                    };
                    let dialled = Dialled::new(&shared, &to, Instant::now()).await.unwrap();
                    let endpoints: Vec<String> = dialled.endpoints.iter().map(ToString::to_string).collect();
                    assert_eq!(endpoints, ["lmtp://9.9.9.9:24"], "{found:?}");
                }
            }
        }
    }
}
