//! How a server does TLS.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::{Handshake, SetupError, pem, provider};

/// How a server does TLS, for any number of connections; cheap to clone. What a
/// clone is [renewed](Self::renew) with counts for all.
///
/// ```no_run
/// use lmtp_proto::server::{Config, Server};
/// use lmtp_rustls::{ServerTls, Tls};
///
/// let tls = ServerTls::builder("/etc/lmtp/fullchain.pem", "/etc/lmtp/key.pem").build()?;
/// let mut config = Config::default();
/// config.offer.starttls = true;
/// let machine = Tls::new(Server::new(config), tls.handshake());
/// # Ok::<(), lmtp_rustls::SetupError>(())
/// ```
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<RwLock<Arc<ServerConfig>>>,
    timeout: Duration,
}

impl ServerTls {
    /// How to do it, to be said step by step: PEM files of the chain, the own
    /// certificate first, and of its private key. Clients are not asked for
    /// certificates.
    pub fn builder(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> ServerTlsBuilder {
        let (chain, key) = (chain.into(), key.into());
        ServerTlsBuilder { chain, key, authorities: Vec::new(), optional: true, timeout: None, provider: None }
    }

    /// What somebody has set up with rustls himself.
    pub fn from_config(config: impl Into<Arc<ServerConfig>>) -> Self {
        Self::new(config.into(), Handshake::default_timeout())
    }

    fn new(config: Arc<ServerConfig>, timeout: Duration) -> Self {
        Self { config: Arc::new(RwLock::new(config)), timeout }
    }

    /// The handshake of one connection.
    pub fn handshake(&self) -> Handshake {
        Handshake::server(self.config(), self.timeout)
    }

    /// Takes the other's certificate, key and authorities for handshakes that begin
    /// from now on: for a certificate that is about to run out.
    pub fn renew(&self, other: &Self) {
        // Before the lock is taken, for the other may be a clone of this one.
        let config = other.config();
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Nothing of the configuration: it knows keys.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// How a server is to do TLS.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerTlsBuilder {
    chain: PathBuf,
    key: PathBuf,
    /// Who vouches for clients.
    authorities: Vec<PathBuf>,
    /// Whether a client may come without a certificate.
    optional: bool,
    timeout: Option<Duration>,
    provider: Option<Arc<CryptoProvider>>,
}

impl ServerTlsBuilder {
    /// Asks clients for a certificate by one of the authorities in this PEM file.
    /// A client may have none; one that cannot be verified ends the handshake.
    pub fn ask_client_certificate(mut self, ca_file: impl Into<PathBuf>) -> Self {
        self.authorities.push(ca_file.into());
        self
    }

    /// The same, and ends the handshake with clients that have none.
    pub fn require_client_certificate(mut self, ca_file: impl Into<PathBuf>) -> Self {
        self.optional = false;
        self.ask_client_certificate(ca_file)
    }

    /// How long a handshake may take; 5 minutes by default, as
    /// [`Timeouts::connect`](lmtp_proto::Timeouts::connect).
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Takes the cryptography from here instead of the crate that this one was
    /// built with.
    pub fn provider(mut self, provider: Arc<CryptoProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Reads the files.
    ///
    /// # Errors
    ///
    /// What cannot be read or used, by name.
    pub fn build(self) -> Result<ServerTls, SetupError> {
        let provider = self.provider.unwrap_or_else(provider::provider);
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions()?;
        let config = if self.authorities.is_empty() {
            config.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            self.authorities.iter().try_for_each(|file| pem::trust(file, &mut roots))?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if self.optional { verifier.allow_unauthenticated() } else { verifier };
            config.with_client_cert_verifier(verifier.build().map_err(|_| SetupError::NoTrust)?)
        };
        let (chain, key) = (pem::certificates(&self.chain)?, pem::private_key(&self.key)?);
        let config = config.with_single_cert(chain, key).map_err(|error| {
            let (chain, key) = (self.chain, self.key);
            SetupError::BadPair { chain, key, error }
        })?;
        let timeout = self.timeout.unwrap_or_else(Handshake::default_timeout);
        Ok(ServerTls::new(Arc::new(config), timeout))
    }
}
