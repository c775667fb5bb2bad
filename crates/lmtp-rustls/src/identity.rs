//! Whom a certificate names.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::Decode;
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Whom a certificate names, in each of the ways that certificates have. Names
/// with control characters in them are left out, for nobody can tell what they
/// are.
///
/// The certificate was verified by the handshake that it comes from, not here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CertificateIdentity {
    /// The subject, as RFC 4514 writes it: `CN=ann,O=Example`.
    pub subject: String,
    /// The common name in the subject, if there is exactly one.
    pub common_name: Option<String>,
    /// E-mail addresses among the alternative names (`rfc822Name`).
    pub emails: Vec<String>,
    /// Host names among the alternative names (`dNSName`).
    pub dns_names: Vec<String>,
    /// URIs among the alternative names.
    pub uris: Vec<String>,
}

impl CertificateIdentity {
    /// Whom this certificate names; `None` if it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let certificate = certificate.tbs_certificate();
        let subject = certificate.subject();
        let mut identity = Self { subject: subject.to_string(), ..Self::default() };
        let is_common_name = |attribute: &&AttributeTypeAndValue| attribute.oid == COMMON_NAME;
        if let (1, Ok(Some(name))) = (subject.iter().filter(is_common_name).count(), subject.common_name()) {
            identity.common_name = printable(&name.value());
        }
        if let Some((_, SubjectAltName(names))) = certificate.get_extension::<SubjectAltName>().ok()? {
            for name in &names {
                match name {
                    GeneralName::Rfc822Name(name) => identity.emails.extend(printable(name.as_str())),
                    GeneralName::DnsName(name) => identity.dns_names.extend(printable(name.as_str())),
                    GeneralName::UniformResourceIdentifier(name) => identity.uris.extend(printable(name.as_str())),
                    _ => {}
                }
            }
        }
        Some(identity)
    }

    /// The one name to take for the authentication identity of AUTH EXTERNAL, if
    /// the application has no rule of its own: the first e-mail address, else the
    /// common name, else the first host name.
    pub fn authcid(&self) -> Option<&str> {
        let names = self.emails.first().or(self.common_name.as_ref()).or(self.dns_names.first());
        names.map(String::as_str)
    }
}

fn printable(name: &str) -> Option<String> {
    (!name.is_empty() && !name.chars().any(char::is_control)).then(|| name.to_owned())
}
