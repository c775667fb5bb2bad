//! AUTH over TCP, in clear and behind STARTTLS.

use std::fs;

use anyhow::{Result, bail, ensure};
use lmtp_blocking::{Client, Config, Envelope, Error, ForwardPath, Outcome, Phase, ReversePath};
use lmtp_sasl::{LoginClient, Mechanism, Nonce, PlainClient, ScramClient};

use super::{Instance, PASSWORD, POSTMAN};
use crate::interop::certificates::Certificates;
use crate::interop::checks::Checks;
use crate::interop::messages;
use crate::interop::program::Program;
use crate::interop::server::{Store as _, same};

type Mechanisms = Vec<Box<dyn Mechanism>>;

pub(super) fn check(instance: &Instance, checks: &mut Checks) {
    let tcp = format!("lmtp://127.0.0.1:{}", instance.auth_port);
    checks.check("AUTH SCRAM-SHA-256 over TCP", || delivers(instance, &tcp, scram(PASSWORD)?));
    checks.check("AUTH PLAIN over TCP", || {
        delivers(instance, &tcp, vec![Box::new(PlainClient::new(POSTMAN, PASSWORD)?)])
    });
    checks.check("AUTH LOGIN over TCP", || {
        delivers(instance, &tcp, vec![Box::new(LoginClient::new(POSTMAN, PASSWORD)?)])
    });
    checks.check("AUTH with a wrong password is refused", || wrong_password(&tcp));
    checks.check("no AUTH, no delivery", || without(&tcp));
}

/// Without the leave to say a password in clear that [`check`] needs.
pub(super) fn encrypted(instance: &Instance, certificates: &Certificates, program: &Program, checks: &mut Checks) {
    let url = format!("lmtp+starttls://localhost:{}", instance.auth_port);
    for mechanism in ["SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        checks.check(&format!("STARTTLS and AUTH {mechanism}: three recipients, three answers"), || {
            let secret = certificates.path("password");
            fs::write(&secret, PASSWORD)?;
            let message = messages::dots();
            let file = certificates.path("message.eml");
            fs::write(&file, &message)?;
            let server = instance.server();
            instance.take(server.good)?;
            let to = [server.good, server.unknown.0, server.full.0].map(|account| account.0);
            let call = program.send_with(&url, &to, &file, |send| {
                send.arg("--ca-file").arg(certificates.ca());
                send.args(["--auth", mechanism, "--auth-user", POSTMAN, "--auth-password-file"]).arg(&secret);
            })?;
            call.exits_with(69)?.answers(&server.three())?;
            let stored = instance.take(server.good)?;
            ensure!(stored.len() == 1, "{} messages stored", stored.len());
            same(&stored[0], &instance.kept(&message))
        });
    }
    checks.check("STARTTLS, and no AUTH, no delivery", || {
        let file = certificates.path("message.eml");
        fs::write(&file, messages::ordinary(9))?;
        let call = program.send_with(&url, &["good@example.test"], &file, |send| {
            send.arg("--ca-file").arg(certificates.ca());
        })?;
        call.exits_with(75).map(|_| ())
    });
}

fn delivers(instance: &Instance, url: &str, mechanisms: Mechanisms) -> Result<()> {
    let server = instance.server();
    server.store.take(server.good)?;
    let mut client = connect(url, mechanisms)?;
    let message = messages::ordinary(8);
    let report = client.deliver(&envelope(server.good.0)?, message.clone())?;
    ensure!(report.all_delivered(), "{report:?}");
    client.quit()?;
    let stored = instance.take(server.good)?;
    ensure!(stored.len() == 1, "{} messages stored", stored.len());
    same(&stored[0], &instance.kept(&message))
}

fn wrong_password(url: &str) -> Result<()> {
    let Err(error) = connect(url, scram("another")?) else { bail!("the wrong password was good enough") };
    let told = format!("{error:#}");
    // RFC 4954 has 535 for it. Cyrus knows better, and is told of word for word.
    ensure!(told.contains("refuses to log us in: 501 5.5.4"), "the error does not tell what was refused: {told}");
    Ok(())
}

fn without(url: &str) -> Result<()> {
    let mut client = connect(url, Vec::new())?;
    let report = client.deliver(&envelope("good@example.test")?, messages::ordinary(9))?;
    let told = report.recipients().all(|to| to.phase() == Phase::Mail && to.outcome() == Outcome::Temporary);
    ensure!(told, "{report:?}");
    Ok(())
}

fn connect(url: &str, mechanisms: Mechanisms) -> Result<Client> {
    // It is the loopback, and the password is none.
    let mut config = Config::default();
    config.auth_in_clear = true;
    let connected = Client::builder(url)?.config(config).authenticate(mechanisms).connect();
    Ok(connected.map_err(Error::from)?)
}

fn scram(password: &str) -> Result<Mechanisms> {
    Ok(vec![Box::new(ScramClient::new(POSTMAN, password, Nonce::random()?)?)])
}

fn envelope(to: &str) -> Result<Envelope> {
    Ok(Envelope::new("sender@example.org".parse::<ReversePath>()?, [to.parse::<ForwardPath>()?])?)
}
