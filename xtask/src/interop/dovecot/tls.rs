//! Dovecot over TLS: what is delivered, and whom we refuse to talk to.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::Instance;
use crate::interop::certificates::Certificates;
use crate::interop::checks::Checks;
use crate::interop::library;
use crate::interop::messages;
use crate::interop::program::Program;
use crate::interop::server::{Store as _, same};

pub(super) fn check(
    instance: &Instance,
    certificates: &Certificates,
    program: &Program,
    checks: &mut Checks,
) -> Result<()> {
    let ways = |instance: &Instance| {
        [
            ("STARTTLS", format!("lmtp+starttls://localhost:{}", instance.port)),
            ("implicit TLS", format!("lmtps://localhost:{}", instance.tls_port)),
        ]
    };
    for (name, url) in ways(instance) {
        let server = instance.server();
        checks.check(&format!("probe over {name}"), || {
            let call = program.probe_with(&url, |probe| _ = probe.arg("--ca-file").arg(certificates.ca()))?;
            call.exits_with(0).map(|_| ())
        });
        checks.check(&format!("three recipients, three answers, over {name}"), || {
            delivers(instance, &url, certificates, program)
        });
        checks.check(&format!("100 messages over one connection of lmtp-blocking, over {name}"), || {
            library::many(&server, &url, 100, Some(&certificates.ca()))
        });
        checks.check(&format!("100 messages over one connection of lmtp-tokio, over {name}"), || {
            library::many_on_tokio(&server, &url, 100, &certificates.ca())
        });
    }

    for (name, url) in ways(instance) {
        // The certificate is for localhost and 127.0.0.1, and Dovecot does not care what it is called.
        checks.check(&format!("a wrong name is refused, over {name}"), || {
            let case = Case { program, certificates, url: &url, ca: "ca.pem", name: Some("mail.example.test") };
            case.is_refused(&[
                "the server's certificate is not for mail.example.test but for localhost, 127.0.0.1",
                "--server-name",
            ])
        });
        for (what, ca) in
            [("an unknown CA", "other-ca.pem"), ("an unknown CA of the name of the right one", "namesake.pem")]
        {
            checks.check(&format!("{what} is refused, over {name}"), || {
                let case = Case { program, certificates, url: &url, ca, name: None };
                case.is_refused(&[
                    "the server's certificate was not issued by an authority that is trusted here",
                    "--ca-file",
                ])
            });
        }
    }
    let expired = Instance::start(certificates, "expired", "")?;
    for (name, url) in ways(&expired) {
        checks.check(&format!("an expired certificate is refused, over {name}"), || {
            let case = Case { program, certificates, url: &url, ca: "ca.pem", name: None };
            case.is_refused(&["the server's certificate has expired on Sun, 3 Feb 2002", "the server has to renew it"])
        });
    }
    expired.stop()
}

fn delivers(instance: &Instance, url: &str, certificates: &Certificates, program: &Program) -> Result<()> {
    let server = instance.server();
    server.store.take(server.good)?;
    let message = messages::dots();
    let file = instance.directory.path().join("message.eml");
    fs::write(&file, &message)?;
    let to = [server.good, server.unknown.0, server.full.0].map(|account| account.0);
    let call = program.send_with(url, &to, &file, |send| _ = send.arg("--ca-file").arg(certificates.ca()))?;
    call.exits_with(69)?.answers(&server.three())?;
    let stored = instance.take(server.good)?;
    ensure!(stored.len() == 1, "{} messages stored", stored.len());
    same(&stored[0], &message)
}

/// A server that must not be talked to.
struct Case<'a> {
    program: &'a Program,
    certificates: &'a Certificates,
    url: &'a str,
    /// Who is trusted.
    ca: &'a str,
    /// What the server is to be called.
    name: Option<&'a str>,
}

impl Case<'_> {
    /// Nothing is sent, the caller may try again, and is told all this: in the object, and without --json in the
    /// text for people.
    fn is_refused(&self, told: &[&str]) -> Result<()> {
        let message = self.certificates.path("message.eml");
        fs::write(&message, messages::ordinary(1))?;
        let flags = |send: &mut std::process::Command| {
            send.arg("--ca-file").arg(self.certificates.path(self.ca));
            if let Some(name) = self.name {
                send.args(["--server-name", name]);
            }
        };
        let call = self.program.send_with(self.url, &["good@example.test"], &message, flags)?;
        call.exits_with(75)?;
        let recipients = call.json["recipients"].as_array().context("no recipients")?;
        let unsent = recipients.iter().all(|recipient| recipient["outcome"] == "unsent");
        ensure!(unsent && call.json["error"] != Value::Null, "the message may have been sent: {}", call.json);

        // Of the server itself: what answers there is not what was asked for.
        self.program.probe_with(self.url, flags)?.exits_with(76)?;

        let text = self.program.send_in_words(self.url, "good@example.test", &message, flags)?;
        ensure!(text.status.code() == Some(75), "{}", text.status);
        // It is wrapped for a terminal.
        let said = text.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in told {
            ensure!(said.contains(told), "{told:?} is not said: {said}");
        }
        Ok(())
    }
}
