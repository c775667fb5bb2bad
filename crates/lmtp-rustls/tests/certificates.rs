//! Who is let in, and what those hear who are not.

mod support;

use lmtp_proto::client::Client;
use lmtp_proto::{Fault, Machine, Outcome};
use lmtp_rustls::rustls::pki_types::CertificateDer;
use lmtp_rustls::rustls::pki_types::pem::PemObject as _;
use lmtp_rustls::{
    CertificateIdentity, ClientTls, ClientTlsBuilder, Error, ServerTls, ServerTlsBuilder, SetupError, Tls, TlsProblem,
};

use support::pki::PKI;
use support::{BOTH, Begin, Joined};

fn client() -> ClientTlsBuilder {
    ClientTls::builder().ca_file(PKI.path("ca.pem"))
}

fn server(of: &str) -> ServerTlsBuilder {
    ServerTls::builder(PKI.path(&format!("{of}.pem")), PKI.path(&format!("{of}.key")))
}

fn joined(begin: Begin, client: ClientTlsBuilder, host: &str, server: ServerTlsBuilder) -> Joined {
    let mut joined = Joined::with(
        begin,
        client.build().unwrap().handshake(Some(host)).unwrap(),
        server.build().unwrap().handshake(),
    );
    joined.run_out();
    joined
}

/// The client refuses the server: the problem and the text that it has for it.
#[track_caller]
fn refused(client: &ClientTlsBuilder, host: &str, of: &str) -> (TlsProblem, String) {
    let alert = (TlsProblem::CertificateRefused, "the client does not take this server's certificate");
    refused_with(client, host, of, alert)
}

/// The same, where the server hears another alert.
#[track_caller]
fn refused_with(
    client: &ClientTlsBuilder,
    host: &str,
    of: &str,
    (heard_problem, heard_text): (TlsProblem, &str),
) -> (TlsProblem, String) {
    let mut heard = Vec::new();
    for begin in BOTH {
        let joined = joined(begin, client.clone(), host, server(of));
        let error = joined.client_error.clone().expect("the server is refused");
        assert!(joined.report.as_ref().unwrap().recipients().all(|to| to.outcome() == Outcome::Unsent));
        assert!(joined.stored.is_empty());
        // Nothing of the message was said.
        let fault = Fault::from(error.clone());
        assert_eq!((fault.kind().name(), fault.phase().to_string().as_str()), ("tls", "tls"));
        // The alert says why, and the server hears it.
        let alert = joined.server_error.as_ref().and_then(Error::tls).expect("an alert");
        assert_eq!(alert.problem(), heard_problem, "{alert}");
        assert!(alert.to_string().starts_with(heard_text), "{alert}");
        let error = error.tls().unwrap();
        assert!(error.is_in_handshake());
        heard.push((error.problem(), error.to_string()));
    }
    assert_eq!(heard[0].0, heard[1].0);
    heard.remove(0)
}

#[test]
fn a_wrong_name() {
    let (problem, text) = refused(&client(), "lmtp.example.net", "mx");
    assert_eq!(problem, TlsProblem::WrongName);
    assert_eq!(
        text,
        "the server's certificate is not for lmtp.example.net but for mx.example.org, 127.0.0.1: connect to a name \
         that it is for, or set the server name to one"
    );
    let (problem, _) = refused(&client(), "127.0.0.2", "mx");
    assert_eq!(problem, TlsProblem::WrongName);
    let (problem, text) = refused(&client(), "mx.example.org", "nobody");
    assert_eq!(problem, TlsProblem::WrongName);
    assert!(text.contains("is not for mx.example.org"), "{text}");
}

#[test]
fn an_unknown_authority() {
    let (problem, text) = refused(&client(), "mx.example.org", "stranger");
    assert_eq!(problem, TlsProblem::UnknownIssuer);
    assert!(text.starts_with("the server's certificate was not issued by an authority that is trusted here"), "{text}");
    assert!(text.contains("name its CA file"), "{text}");
}

/// rustls has found an authority of that name, and says only that a signature is bad.
#[test]
fn an_authority_of_the_same_name() {
    let client = ClientTls::builder().ca_file(PKI.path("namesake-ca.pem"));
    // This alert says that a signature did not fit, and not whose.
    let alert = (TlsProblem::Refused, "the client has given up TLS (it says DecryptError)");
    let (problem, text) = refused_with(&client, "mx.example.org", "mx", alert);
    assert_eq!(problem, TlsProblem::UnknownIssuer);
    assert!(text.starts_with("the server's certificate was not issued by an authority that is trusted here"), "{text}");
    assert!(text.contains("one of the same name is, but with another key"), "{text}");
}

#[test]
fn out_of_time() {
    let (problem, text) = refused(&client(), "mx.example.org", "expired");
    assert_eq!(problem, TlsProblem::Expired);
    assert!(text.starts_with("the server's certificate has expired on Sun, 3 Feb 2002"), "{text}");
    assert!(text.ends_with("): the server has to renew it"), "{text}");
    let (problem, text) = refused(&client(), "mx.example.org", "early");
    assert_eq!(problem, TlsProblem::NotYetValid);
    assert!(text.contains("not valid yet but from ") && text.contains("2999"), "{text}");
}

/// What `openssl req -x509` makes when nothing else is said.
#[test]
fn an_authority_for_a_server() {
    let (problem, text) = refused(&client(), "mx.example.org", "own-ca");
    assert_eq!(problem, TlsProblem::Authority);
    assert!(text.contains("CA:TRUE"), "{text}");
}

#[test]
fn names_and_addresses_that_fit() {
    for (client, host, of) in [
        (client(), "127.0.0.1", "mx"),
        (client(), "MX.example.ORG", "mx"),
        (client().server_name("mx.example.org"), "10.0.0.1", "mx"),
        (client().ca_file(PKI.path("other-ca.pem")), "mx.example.org", "stranger"),
        (client().dangerous_without_verification(), "lmtp.example.net", "expired"),
        (ClientTls::builder().dangerous_without_verification(), "mx.example.org", "stranger"),
    ] {
        for begin in BOTH {
            joined(begin, client.clone(), host, server(of)).assert_well();
        }
    }
}

/// A private authority is trusted instead of those of the platform, and those of the platform do not know it.
#[test]
fn the_platform_does_not_know_a_private_authority() {
    match ClientTls::builder().build() {
        Ok(_) => {
            let (problem, _) = refused(&ClientTls::builder(), "mx.example.org", "mx");
            assert_eq!(problem, TlsProblem::UnknownIssuer);
        }
        // A machine without any certificates, or a build that does not look for them.
        Err(error) => assert!(error.to_string().contains("CA file"), "{error}"),
    }
}

/// A Unix socket has no name: one has to be set, unless nobody looks.
#[test]
fn a_unix_socket_has_no_name() {
    let error = client().build().unwrap().handshake(None).unwrap_err();
    assert!(matches!(error, SetupError::NoServerName), "{error}");
    assert!(error.to_string().contains("set the server name"), "{error}");
    for client in [client().server_name("mx.example.org"), client().dangerous_without_verification()] {
        let named = client.build().unwrap().handshake(None).unwrap();
        let mut joined = Joined::with(Begin::StartTls, named, server("mx").build().unwrap().handshake());
        joined.run().assert_well();
    }
}

#[test]
fn no_name_at_all() {
    for name in ["", "mx example org", "mx\r\n", ".", "[::1]"] {
        let error = client().build().unwrap().handshake(Some(name)).unwrap_err();
        assert!(matches!(error, SetupError::BadServerName { .. }), "{error}");
        assert!(client().server_name(name).build().is_err());
        assert!(!error.to_string().contains('\n'));
    }
}

fn with_certificate(of: &str) -> ClientTlsBuilder {
    client().client_certificate(PKI.path(&format!("{of}.pem")), PKI.path(&format!("{of}.key")))
}

#[test]
fn a_client_with_a_certificate() {
    for server in [
        server("mx").ask_client_certificate(PKI.path("ca.pem")),
        server("mx").require_client_certificate(PKI.path("ca.pem")),
    ] {
        for begin in BOTH {
            let joined = joined(begin, with_certificate("ann"), "mx.example.org", server.clone());
            joined.assert_well();
            let identity = joined.server.peer_identity().unwrap();
            assert_eq!(identity.authcid(), Some("ann@example.org"));
            assert_eq!(identity.common_name.as_deref(), Some("Ann Example"));
            assert_eq!(identity.emails, ["ann@example.org"]);
            assert_eq!(identity.dns_names, ["host.example.org"]);
            assert_eq!(identity.uris, ["urn:ann"]);
            assert!(identity.subject.contains("CN=Ann Example"), "{}", identity.subject);
        }
    }
}

#[test]
fn a_client_without_a_certificate() {
    for begin in BOTH {
        let optional = server("mx").ask_client_certificate(PKI.path("ca.pem"));
        let well = joined(begin, client(), "mx.example.org", optional);
        well.assert_well();
        assert_eq!(well.server.peer_identity(), None);

        let required = server("mx").require_client_certificate(PKI.path("ca.pem"));
        let refused = joined(begin, client(), "mx.example.org", required);
        let error = refused.server_error.as_ref().and_then(Error::tls).unwrap();
        assert_eq!(
            (error.problem(), error.to_string().as_str()),
            (TlsProblem::NoCertificate, "the client has shown no certificate, and needs one")
        );
        // In TLS 1.3 the client hears of it behind its handshake.
        let error = refused.client_error.as_ref().and_then(Error::tls).unwrap();
        assert_eq!(error.problem(), TlsProblem::CertificateWanted);
        assert!(error.to_string().contains("set a certificate and its key"), "{error}");
        assert!(refused.report.as_ref().unwrap().recipients().all(|to| to.outcome() == Outcome::Unsent));
        // The application was not even asked whether to serve it.
        assert_eq!(refused.questions > 0, begin == Begin::StartTls);
    }
}

#[test]
fn a_client_with_a_stranger_s_certificate() {
    for begin in BOTH {
        let optional = server("mx").ask_client_certificate(PKI.path("ca.pem"));
        let refused = joined(begin, with_certificate("stranger"), "mx.example.org", optional);
        let error = refused.server_error.as_ref().and_then(Error::tls).unwrap();
        assert_eq!(error.problem(), TlsProblem::UnknownIssuer);
        assert!(error.to_string().contains("this server trusts for clients"), "{error}");
        let error = refused.client_error.as_ref().and_then(Error::tls).unwrap();
        assert_eq!(error.problem(), TlsProblem::CertificateRefused);
        assert!(error.to_string().starts_with("the server does not take our certificate (it says "), "{error}");
        refused.assert_honest();
    }
}

/// The certificate is who the client is (RFC 4422 appendix A).
#[test]
fn auth_external() {
    let required = server("mx").require_client_certificate(PKI.path("ca.pem")).build().unwrap();
    for begin in BOTH {
        let side = with_certificate("ann").build().unwrap().handshake(Some("mx.example.org")).unwrap();
        let mut joined = Joined::configured(begin, side, required.handshake(), |_, server| {
            server.offer.auth = vec!["EXTERNAL".parse().unwrap()];
        });
        joined.client.act().inner_mut().authenticate(vec![Box::new(lmtp_sasl::ExternalClient::new())]).unwrap();
        joined.run().assert_well();
        let identity = joined.server.inner().identity().unwrap();
        assert_eq!(identity.authcid, "ann@example.org");
    }
}

#[test]
fn names_that_nobody_can_read_are_none() {
    let identity = CertificateIdentity::of(&CertificateDer::from_pem_file(PKI.path("odd.pem")).unwrap()).unwrap();
    assert_eq!((identity.common_name.as_deref(), identity.authcid()), (None, None));
    assert_eq!(CertificateIdentity::of(&CertificateDer::from(b"rubbish".to_vec())), None);
}

/// Each names the file and what to do.
#[test]
fn files_that_are_of_no_use() {
    let rubbish = PKI.keep("rubbish.pem", "rubbish");
    let cut = PKI.keep("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let encrypted =
        PKI.keep("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let odd = PKI.keep("odd-ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let (mx, key) = (PKI.path("mx.pem"), PKI.path("mx.key"));
    let missing = PKI.path("missing.pem");
    let trust = |file| ClientTls::builder().ca_file(file).build().unwrap_err();
    let serve = |chain, key| ServerTls::builder(chain, key).build().unwrap_err();
    for (error, file, words) in [
        (trust(&missing), "missing.pem", "cannot be read"),
        (trust(&rubbish), "rubbish.pem", "holds no certificate"),
        (trust(&cut), "cut.pem", "is not whole as PEM"),
        (trust(&odd), "odd-ca.pem", "certificate 1 of the file cannot be trusted"),
        (serve(&mx, &missing), "missing.pem", "cannot be read"),
        (serve(&mx, &mx), "mx.pem", "holds no private key"),
        (serve(&key, &key), "mx.key", "holds no certificate"),
        (serve(&mx, &encrypted), "encrypted.key", "without a passphrase"),
        (serve(&mx, &PKI.path("ann.key")), "ann.key", "the key is not the key of the (first) certificate"),
        (
            client().client_certificate(&mx, PKI.path("ann.key")).build().unwrap_err(),
            "ann.key",
            "the key is not the key",
        ),
        (server("mx").require_client_certificate(&rubbish).build().unwrap_err(), "rubbish.pem", "holds no certificate"),
    ] {
        let text = error.to_string();
        assert!(text.contains(file) && text.contains(words), "{text}");
        // Once, and with nothing of the contents.
        assert!(!text.contains("BEGIN ENCRYPTED") && !text.contains("AAAA"), "{text}");
    }
}

/// No key and no configuration is shown.
#[test]
fn nothing_is_shown_that_is_secret() {
    let (client, server) = (with_certificate("ann").build().unwrap(), server("mx").build().unwrap());
    let side = client.handshake(Some("mx.example.org")).unwrap();
    let shown = format!(
        "{client:?} {server:?} {side:?} {:?}",
        Tls::implicit(Client::new(lmtp_proto::Config::default()), side.clone())
    );
    assert!(shown.len() < 4000 && !shown.to_lowercase().contains("key"), "{shown}");
    let _ = Machine::poll_timeout(&Tls::new(Client::new(lmtp_proto::Config::default()), side));
}

/// Clones share it, and handshakes that have begun do not.
#[test]
fn a_server_renews_its_certificate() {
    let ours = server("mx").build().unwrap();
    let (serving, begun) = (ours.clone(), ours.handshake());
    let other = server("nobody").build().unwrap();
    ours.renew(&other);
    ours.renew(&ours.clone());
    let shown = |handshake| {
        let client = client().build().unwrap().handshake(Some("mx.example.org")).unwrap();
        let mut joined = Joined::with(Begin::Implicit, client, handshake);
        joined.run_out();
        joined.client_error.is_none()
    };
    assert!(shown(begun), "it has the certificate that it began with");
    assert!(!shown(serving.handshake()), "the other one names somebody else");
}
