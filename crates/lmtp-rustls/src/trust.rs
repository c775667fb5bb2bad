//! Whom a client trusts.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::{SetupError, pem};

/// Whom a client trusts.
#[derive(Debug, Clone, Default)]
pub(crate) enum Trust {
    /// Whom the platform trusts.
    #[default]
    Platform,
    /// The authorities in these files and nobody else.
    Files(Vec<PathBuf>),
    /// Everybody.
    Everybody,
}

impl Trust {
    pub(crate) fn verifier(&self, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
        match self {
            Self::Platform => platform(provider),
            Self::Everybody => Ok(Arc::new(Unverified(Arc::clone(provider)))),
            Self::Files(files) => {
                let mut roots = RootCertStore::empty();
                files.iter().try_for_each(|file| pem::trust(file, &mut roots))?;
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
                Ok(builder.build().map_err(|_| SetupError::NoTrust)?)
            }
        }
    }
}

#[cfg(feature = "platform-verifier")]
fn platform(provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    let verifier = rustls_platform_verifier::Verifier::new(Arc::clone(provider));
    Ok(Arc::new(verifier.map_err(|error| SetupError::NoTrustStore { error })?))
}

#[cfg(not(feature = "platform-verifier"))]
fn platform(_: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, SetupError> {
    Err(SetupError::NoTrust)
}

/// Takes every certificate. That the server has its key is still checked, so
/// that a broken handshake is told from a broken certificate.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
