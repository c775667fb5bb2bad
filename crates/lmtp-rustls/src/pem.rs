//! Certificates and keys out of PEM files.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::SetupError;

/// All certificates of a file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let text = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(SetupError::NoCertificate { path: path.into() }),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(damaged(path, &error)),
    }
}

/// The first private key of a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, SetupError> {
    let text = read(path)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(PemError::NoItemsFound) if is_encrypted(&text) => Err(SetupError::EncryptedKey { path: path.into() }),
        Err(PemError::NoItemsFound) => Err(SetupError::NoKey { path: path.into() }),
        Err(error) => Err(damaged(path, &error)),
    }
}

/// Adds all certificates of a file to those that are trusted as authorities.
pub(crate) fn trust(path: &Path, roots: &mut RootCertStore) -> Result<(), SetupError> {
    for (place, certificate) in (1..).zip(certificates(path)?) {
        roots.add(certificate).map_err(|error| SetupError::BadAuthority { path: path.into(), place, error })?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, SetupError> {
    fs::read(path).map_err(|error| SetupError::Unreadable { path: path.into(), error })
}

fn damaged(path: &Path, error: &PemError) -> SetupError {
    SetupError::Damaged { path: path.into(), problem: error.to_string() }
}

/// RFC 7468 section 11, and what OpenSSL wrote before.
fn is_encrypted(text: &[u8]) -> bool {
    let holds = |mark: &[u8]| text.windows(mark.len()).any(|part| part == mark);
    holds(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || holds(b"Proc-Type: 4,ENCRYPTED")
}
