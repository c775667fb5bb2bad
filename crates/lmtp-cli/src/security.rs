//! TLS and AUTH, as the command line asks for them.

use std::fs;
use std::path::Path;

use lmtp_blocking::proto::auth::Mechanism;
use lmtp_blocking::proto::client::StartTls;
use lmtp_blocking::proto::value::{Security as Protection, Target};
use lmtp_blocking::tls::SetupError;
use lmtp_blocking::{ClientTls, Endpoint, Fault, FaultKind, Phase};
use lmtp_sasl::{
    ExternalClient, InvalidCredentials, LoginClient, Nonce, OauthBearerClient, PlainClient, ScramClient, Secret,
};

use crate::args::{AuthChoice, Security};

/// How to do TLS, where the command line says anything about it.
pub(crate) fn tls(security: &Security, endpoint: &Endpoint, starttls: StartTls) -> Result<Option<ClientTls>, Fault> {
    let Security { ca_file, server_name, client_cert, client_key, insecure, .. } = security;
    if ca_file.is_none() && server_name.is_none() && client_cert.is_none() && !insecure {
        return Ok(None);
    }
    if !is_protected(endpoint) && starttls == StartTls::Off {
        let message = "TLS is described, and none is asked for: use lmtps:// or lmtp+starttls://";
        return Err(Fault::new(FaultKind::Usage, Phase::Connect, message).at(endpoint));
    }
    let mut tls = ClientTls::builder();
    if let Some(file) = ca_file {
        tls = tls.ca_file(file);
    }
    if let Some(name) = server_name {
        tls = tls.server_name(name);
    }
    if let (Some(certificate), Some(key)) = (client_cert, client_key) {
        tls = tls.client_certificate(certificate, key);
    }
    if *insecure {
        tls = tls.dangerous_without_verification();
    }
    let built = tls.build().map_err(|error: SetupError| {
        Fault::new(FaultKind::Tls, Phase::Connect, error.to_string()).with_source(error)
    })?;
    Ok(Some(built))
}

/// Whether the endpoint itself asks for TLS.
fn is_protected(endpoint: &Endpoint) -> bool {
    matches!(endpoint.target(), Target::Tcp { security: Protection::StartTls | Protection::Tls, .. })
}

/// Whether what reveals a password may be said on this connection before it is
/// encrypted: nobody listens on a Unix socket.
pub(crate) fn may_reveal(security: &Security, endpoint: &Endpoint) -> bool {
    security.auth_in_clear || matches!(endpoint.target(), Target::Unix { .. })
}

/// How to log in: the mechanism that was named, or all that a password is good for, the
/// best first. None if nobody wants to.
pub(crate) fn mechanisms(security: &Security) -> Result<Vec<Box<dyn Mechanism>>, Fault> {
    let wanted = match (security.auth, &security.auth_user) {
        (Some(mechanism), _) => vec![mechanism],
        (None, Some(_)) => vec![AuthChoice::ScramSha256, AuthChoice::Plain, AuthChoice::Login],
        (None, None) => return Ok(Vec::new()),
    };
    let secret = security.auth_password_file.as_deref().map(read_secret).transpose()?;
    let user = security.auth_user.as_deref();
    wanted.into_iter().map(|wanted| mechanism(wanted, user, secret.as_ref())).collect()
}

fn mechanism(choice: AuthChoice, user: Option<&str>, secret: Option<&Secret>) -> Result<Box<dyn Mechanism>, Fault> {
    let user = || user.ok_or_else(|| fault("--auth-user is missing: whom to log in as"));
    let secret = || secret.cloned().ok_or_else(|| fault("--auth-password-file is missing: the file with the secret"));
    let invalid = |error: InvalidCredentials| fault(&error.to_string());
    Ok(match choice {
        AuthChoice::External => Box::new(ExternalClient::new()),
        AuthChoice::Plain => Box::new(PlainClient::new(user()?, secret()?).map_err(invalid)?),
        AuthChoice::Login => Box::new(LoginClient::new(user()?, secret()?).map_err(invalid)?),
        AuthChoice::ScramSha256 => {
            let nonce = Nonce::random().map_err(|error| fault(&error.to_string()))?;
            Box::new(ScramClient::new(user()?, secret()?, nonce).map_err(invalid)?)
        }
        AuthChoice::Oauthbearer => {
            let bearer = OauthBearerClient::new(secret()?).map_err(invalid)?;
            match user() {
                Ok(user) => Box::new(bearer.with_authzid(user).map_err(invalid)?),
                Err(_) => Box::new(bearer),
            }
        }
    })
}

/// The secret in a file, without the line end that editors put behind it.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, Fault> {
    let shown = path.display();
    let mut text = fs::read_to_string(path)
        .map_err(|error| fault(&format!("{shown}: cannot be read: {error}")).with_source(error))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Secret::from(text))
}

fn fault(message: &str) -> Fault {
    Fault::new(FaultKind::Auth, Phase::Connect, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn security(
        auth: Option<AuthChoice>,
        user: Option<&str>,
        secret: Option<&str>,
    ) -> (Security, tempfile::NamedTempFile) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(secret.unwrap_or_default().as_bytes()).unwrap();
        let security = Security {
            auth,
            auth_user: user.map(Into::into),
            auth_password_file: secret.map(|_| file.path().into()),
            ..Security::default()
        };
        (security, file)
    }

    fn names(security: &Security) -> Result<Vec<String>, Fault> {
        Ok(mechanisms(security)?.iter().map(|mechanism| mechanism.name().to_owned()).collect())
    }

    #[test]
    fn a_password_is_used_as_well_as_it_can_be() {
        let (all, _file) = security(None, Some("ann"), Some("tanstaaf\n"));
        assert_eq!(names(&all).unwrap(), ["SCRAM-SHA-256", "PLAIN", "LOGIN"]);
        let (one, _file) = security(Some(AuthChoice::Login), Some("ann"), Some("tanstaaf"));
        assert_eq!(names(&one).unwrap(), ["LOGIN"]);
        let (external, _file) = security(Some(AuthChoice::External), None, None);
        assert_eq!(names(&external).unwrap(), ["EXTERNAL"]);
        assert!(names(&Security::default()).unwrap().is_empty());
    }

    #[test]
    fn what_is_missing_is_named() {
        for (auth, user, secret, named) in [
            (None, Some("ann"), None, "--auth-password-file"),
            (Some(AuthChoice::Plain), None, Some("x"), "--auth-user"),
            (Some(AuthChoice::Oauthbearer), None, None, "--auth-password-file"),
        ] {
            let (security, _file) = security(auth, user, secret);
            let fault = names(&security).unwrap_err();
            assert_eq!(fault.kind(), FaultKind::Auth);
            assert!(fault.message().contains(named), "{fault}");
        }
    }

    #[test]
    fn one_line_end_is_no_part_of_a_secret() {
        for (text, secret) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), (" a ", " a ")] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            assert_eq!(read_secret(file.path()).unwrap().expose(), secret);
        }
    }

    #[test]
    fn tls_is_not_described_in_vain() {
        let (nothing, described) = (Security::default(), Security { insecure: true, ..Security::default() });
        let tls = |security, url: &str, starttls| tls(security, &url.parse().unwrap(), starttls);
        for (url, starttls) in [
            ("lmtps://x", StartTls::Off),
            ("lmtp+starttls://x", StartTls::Off),
            ("lmtp://x", StartTls::Required),
            ("unix:/x", StartTls::Required),
        ] {
            assert!(tls(&described, url, starttls).unwrap().is_some(), "{url}");
        }
        assert!(tls(&nothing, "lmtp://x", StartTls::Off).unwrap().is_none());
        let fault = tls(&described, "lmtp://x", StartTls::Off).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Usage);
        assert!(fault.message().contains("lmtps://"), "{fault}");
        let unreadable = Security { ca_file: Some("/no/such/file.pem".into()), ..Security::default() };
        let fault = tls(&unreadable, "lmtps://x", StartTls::Off).unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Tls);
        assert!(fault.message().contains("/no/such/file.pem"), "{fault}");
    }

    #[test]
    fn nobody_listens_on_a_unix_socket() {
        let nothing = Security::default();
        assert!(may_reveal(&nothing, &"unix:/run/lmtp".parse().unwrap()));
        assert!(!may_reveal(&nothing, &"lmtp://127.0.0.1:24".parse().unwrap()));
        let said = Security { auth_in_clear: true, ..Security::default() };
        assert!(may_reveal(&said, &"lmtp://127.0.0.1:24".parse().unwrap()));
    }
}
