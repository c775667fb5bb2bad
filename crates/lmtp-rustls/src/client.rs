//! How a client does TLS.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;

use crate::trust::Trust;
use crate::{Handshake, SetupError, pem, provider};

/// How a client does TLS, for any number of connections; cheap to clone. Its
/// connections share a cache, so that a session with a server that allows it is
/// resumed.
///
/// ```no_run
/// use lmtp_proto::{Client, Config};
/// use lmtp_rustls::{ClientTls, Tls};
///
/// let tls = ClientTls::builder().ca_file("/etc/lmtp/ca.pem").build()?;
/// // lmtps://mx.example.org
/// let machine = Tls::implicit(Client::new(Config::default()), tls.handshake(Some("mx.example.org"))?);
/// # Ok::<(), lmtp_rustls::SetupError>(())
/// ```
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    name: Option<String>,
    /// Whether the server's certificate is looked at.
    verifies: bool,
    timeout: Duration,
}

impl ClientTls {
    /// How to do it, to be said step by step. Without a word, servers are
    /// verified against the trust store of the platform.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder::default()
    }

    /// What somebody has set up with rustls himself.
    pub fn from_config(config: impl Into<Arc<ClientConfig>>) -> Self {
        Self { config: config.into(), name: None, verifies: true, timeout: Handshake::default_timeout() }
    }

    /// What rustls is set up with, for whoever speaks TLS without a machine.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// The handshake of one connection, with the server at this host: a name or
    /// an address, as it was dialled. `None` for a Unix socket.
    ///
    /// The certificate is checked against the [server
    /// name](ClientTlsBuilder::server_name) that was set, else the host.
    ///
    /// # Errors
    ///
    /// [`SetupError::NoServerName`]: there is neither, and the certificate is to
    /// be verified. [`SetupError::BadServerName`]: it is no name.
    pub fn handshake(&self, host: Option<&str>) -> Result<Handshake, SetupError> {
        let name = match self.name.as_deref().or(host) {
            Some(name) => server_name(name)?,
            None if self.verifies => return Err(SetupError::NoServerName),
            // Nobody looks at it, and an address is not told to the server.
            None => ServerName::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
        };
        Ok(Handshake::client(Arc::clone(&self.config), name, self.timeout))
    }
}

/// A name or an address. The dot at the end of a name that is complete is no part
/// of the name in a certificate (RFC 6066 section 3).
fn server_name(name: &str) -> Result<ServerName<'static>, SetupError> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| SetupError::BadServerName { name: name.into() })
}

/// Nothing of the configuration: it knows keys.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, verifies, timeout, .. } = self;
        let mut shown = f.debug_struct("ClientTls");
        shown.field("name", name).field("verifies", verifies).field("timeout", timeout).finish_non_exhaustive()
    }
}

/// How a client is to do TLS.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct ClientTlsBuilder {
    trust: Trust,
    pair: Option<(PathBuf, PathBuf)>,
    name: Option<String>,
    timeout: Option<Duration>,
    provider: Option<Arc<CryptoProvider>>,
}

impl ClientTlsBuilder {
    /// Trusts the authorities in this PEM file, and those in other files named
    /// so, and nobody else: not whom the platform trusts.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        match &mut self.trust {
            Trust::Files(files) => files.push(path.into()),
            trust => *trust = Trust::Files(vec![path.into()]),
        }
        self
    }

    /// Shows this certificate to a server that asks: PEM files of the chain, the
    /// own certificate first, and of its private key.
    pub fn client_certificate(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.pair = Some((chain.into(), key.into()));
        self
    }

    /// Checks certificates against this name, or address, instead of the host that
    /// is dialled, and asks the server for it (SNI).
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Takes any certificate. The connection is encrypted, to whoever answered:
    /// somebody in between can read and change everything. Files named by
    /// [`ca_file`](Self::ca_file) before are forgotten.
    pub fn dangerous_without_verification(mut self) -> Self {
        self.trust = Trust::Everybody;
        self
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
    pub fn build(self) -> Result<ClientTls, SetupError> {
        if let Some(name) = &self.name {
            server_name(name)?;
        }
        let provider = self.provider.unwrap_or_else(provider::provider);
        let verifier = self.trust.verifier(&provider)?;
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.dangerous().with_custom_certificate_verifier(verifier);
        let config = match self.pair {
            None => config.with_no_client_auth(),
            Some((chain, key)) => config
                .with_client_auth_cert(pem::certificates(&chain)?, pem::private_key(&key)?)
                .map_err(|error| SetupError::BadPair { chain, key, error })?,
        };
        let verifies = !matches!(self.trust, Trust::Everybody);
        let timeout = self.timeout.unwrap_or_else(Handshake::default_timeout);
        Ok(ClientTls { config: Arc::new(config), name: self.name, verifies, timeout })
    }
}
