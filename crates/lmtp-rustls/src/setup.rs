//! What can be wrong with how TLS is set up, before anybody is connected to.

use std::io;
use std::path::PathBuf;

/// TLS cannot be set up like this. It names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A file is damaged.
    #[error("{}: is not whole as PEM: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file holds no certificate.
    #[error(
        "{}: holds no certificate: it needs \"-----BEGIN CERTIFICATE-----\"; a DER file has to be converted to PEM",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error(
        "{}: holds no private key: it needs \"-----BEGIN PRIVATE KEY-----\"; a DER file has to be converted to PEM",
        path.display()
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A private key is encrypted.
    #[error("{}: the private key is encrypted: store it without a passphrase, readable for this user only", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate is of no use as an authority.
    #[error("{}: certificate {place} of the file cannot be trusted as an authority: {error}", path.display())]
    BadAuthority {
        /// The file.
        path: PathBuf,
        /// Which of its certificates, counted from 1.
        place: usize,
        /// What rustls says.
        #[source]
        error: rustls::Error,
    },
    /// A certificate and a key do not fit, or one of them cannot be used.
    #[error("{} and {}: {}", chain.display(), key.display(), what_does_not_fit(error))]
    BadPair {
        /// The file of the certificate.
        chain: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What rustls says.
        #[source]
        error: rustls::Error,
    },
    /// The trust store of the platform cannot be used.
    #[error("the certificates that this system trusts cannot be read: {error}; name a CA file instead")]
    NoTrustStore {
        /// What rustls says.
        #[source]
        error: rustls::Error,
    },
    /// Nobody is trusted: no CA file was named, and this build does not know the
    /// trust store of the platform.
    #[error("nobody is trusted: name a CA file (this build does not know the system's own)")]
    NoTrust,
    /// There is no name to check a certificate against.
    #[error("there is no name to check the server's certificate against, as with a Unix socket: set the server name")]
    NoServerName,
    /// A name that no certificate can be for.
    #[error("\"{}\" is no name that a certificate can be for: set the server name", lmtp_proto::Escaped(name.as_bytes()))]
    BadServerName {
        /// The name.
        name: String,
    },
    /// rustls does not take the configuration.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

fn what_does_not_fit(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key is not the key of the (first) certificate".into(),
        rustls::Error::InvalidCertificate(_) => format!("the certificate cannot be used: {error}"),
        error => format!("they cannot be used: {error}"),
    }
}
