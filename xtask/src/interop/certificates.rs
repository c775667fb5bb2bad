//! Authorities and certificates for one run: made in it, gone with it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tempfile::TempDir;

use super::place;

/// What the certificates are for, where they are for the right one.
pub(crate) const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// The host of an example in the second seed, of the certificate `internal`.
pub(crate) const EXAMPLE: &str = "mail.internal";

/// A directory with PEM files. `ca.pem` is the authority that is trusted; its certificates are `server`, for
/// [`NAMES`], and `expired`. `namesake.pem` is another authority of the same name, `other-ca.pem` one of
/// another.
pub(crate) struct Certificates {
    directory: TempDir,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Certificates {
    pub(crate) fn make() -> Result<Self> {
        let directory = place::directory()?;
        let made = Self { directory };
        let ca = made.authority("ca", "Interop authority")?;
        made.authority("namesake", "Interop authority")?;
        made.authority("other-ca", "Another authority")?;
        let names = || CertificateParams::new(NAMES.map(str::to_owned));
        made.issue("server", &names()?, &ca)?;
        made.issue("internal", &CertificateParams::new([EXAMPLE.to_owned()])?, &ca)?;
        let mut expired = names()?;
        (expired.not_before, expired.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 2, 3));
        made.issue("expired", &expired, &ca)?;
        Ok(made)
    }

    /// The authority that is trusted.
    pub(crate) fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// A certificate.
    pub(crate) fn chain(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.pem"))
    }

    /// Its key.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.key"))
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn authority(&self, file: &str, name: &str) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(self.path(&format!("{file}.pem")), authority.pem())?;
        Ok(authority)
    }

    fn issue(&self, file: &str, params: &CertificateParams, authority: &Authority) -> Result<()> {
        let key = KeyPair::generate()?;
        let (certificate, key) = (params.signed_by(&key, authority)?.pem(), key.serialize_pem());
        fs::write(self.chain(file), &certificate)?;
        fs::write(self.key(file), &key)?;
        // It protects nothing, and the foreign programs run as users of their own.
        fs::set_permissions(self.key(file), Permissions::from_mode(0o644))?;
        // HAProxy wants both in one file.
        fs::write(self.path(&format!("{file}-bundle.pem")), certificate + &key)?;
        Ok(())
    }
}
