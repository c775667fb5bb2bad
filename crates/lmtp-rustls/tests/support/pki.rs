//! Authorities and certificates, made anew for each run.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType, date_time_ymd};
use tempfile::TempDir;

/// Files of one authority and all that it has issued, and of another.
pub(crate) static PKI: LazyLock<Pki> = LazyLock::new(Pki::new);

pub(crate) struct Pki {
    dir: TempDir,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Pki {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn keep(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn new() -> Self {
        let pki = Self { dir: tempfile::tempdir().unwrap() };
        let ca = pki.authority("ca", "Example authority");
        let other = pki.authority("other-ca", "Another authority");
        // Another key, the same name.
        pki.authority("namesake-ca", "Example authority");
        let names =
            |names: &[&str]| CertificateParams::new(names.iter().map(|&name| name.into()).collect::<Vec<_>>()).unwrap();

        pki.issue("mx", &names(&["mx.example.org", "127.0.0.1"]), &ca);
        pki.issue("nobody", &names(&[]), &ca);
        pki.issue("stranger", &names(&["mx.example.org"]), &other);
        let mut expired = names(&["mx.example.org"]);
        (expired.not_before, expired.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 2, 3));
        pki.issue("expired", &expired, &ca);
        let mut early = names(&["mx.example.org"]);
        (early.not_before, early.not_after) = (date_time_ymd(2999, 1, 1), date_time_ymd(2999, 2, 3));
        pki.issue("early", &early, &ca);
        let mut own = names(&["mx.example.org"]);
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        pki.issue("own-ca", &own, &ca);

        let mut ann = names(&["host.example.org"]);
        ann.distinguished_name.push(DnType::CommonName, "Ann Example");
        ann.subject_alt_names.push(SanType::Rfc822Name("ann@example.org".try_into().unwrap()));
        ann.subject_alt_names.push(SanType::URI("urn:ann".try_into().unwrap()));
        pki.issue("ann", &ann, &ca);
        let mut odd = names(&[]);
        odd.distinguished_name.push(DnType::CommonName, "ann\0evil");
        pki.issue("odd", &odd, &ca);
        pki
    }

    fn authority(&self, file: &str, name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        self.keep(&format!("{file}.pem"), authority.pem());
        authority
    }

    fn issue(&self, file: &str, params: &CertificateParams, authority: &Authority) {
        let key = KeyPair::generate().unwrap();
        self.keep(&format!("{file}.pem"), params.signed_by(&key, authority).unwrap().pem());
        self.keep(&format!("{file}.key"), key.serialize_pem());
    }
}
