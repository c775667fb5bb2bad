//! A certificate for this machine, and whoever trusts it.

use std::sync::Arc;

use lmtp_rustls::rustls::crypto::aws_lc_rs;
use lmtp_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
use lmtp_rustls::rustls::{ClientConfig, RootCertStore};
use lmtp_rustls::{ClientTls, ServerTls};
use rcgen::{CertificateParams, DnType, KeyPair};
use tempfile::TempDir;

/// A certificate of somebody, who is at this machine, and its key, in files.
pub(crate) struct Pki {
    folder: TempDir,
}

impl Pki {
    pub(crate) fn new() -> Self {
        Self::of("a server")
    }

    pub(crate) fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("chain.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { folder }
    }

    /// Whoever has the certificate.
    pub(crate) fn server(&self) -> ServerTls {
        let file = |name| self.folder.path().join(name);
        ServerTls::builder(file("chain.pem"), file("key.pem")).build().unwrap()
    }

    /// The same, and clients may show a certificate of that other authority.
    pub(crate) fn server_for(&self, clients: &Self) -> ServerTls {
        let file = |name| self.folder.path().join(name);
        let server = ServerTls::builder(file("chain.pem"), file("key.pem"));
        server.ask_client_certificate(clients.folder.path().join("chain.pem")).build().unwrap()
    }

    /// Whoever trusts it, and shows a certificate of their own.
    pub(crate) fn client_with(&self, own: &Self) -> ClientTls {
        let file = |name| own.folder.path().join(name);
        let client = ClientTls::builder().ca_file(self.folder.path().join("chain.pem"));
        client.client_certificate(file("chain.pem"), file("key.pem")).build().unwrap()
    }

    /// Whoever trusts it, in the words of rustls.
    pub(crate) fn raw_client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.folder.path().join("chain.pem")).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let client = client.with_safe_default_protocol_versions().unwrap();
        client.with_root_certificates(roots).with_no_client_auth().into()
    }

    /// Whoever trusts it.
    pub(crate) fn client(&self) -> ClientTls {
        ClientTls::builder().ca_file(self.folder.path().join("chain.pem")).build().unwrap()
    }
}
