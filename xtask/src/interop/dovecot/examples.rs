//! The examples of the two seeds, as they stand there: JSON by curl to `lmtp gateway`, and options of `lmtp deliver`. They
//! name hosts and files, so those who are called see an /etc and a /run in which these are.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::Instance;
use crate::interop::certificates::Certificates;
use crate::interop::checks::Checks;
use crate::interop::daemon::Daemon;
use crate::interop::program::Program;
use crate::interop::server::{Account, Store as _};
use crate::interop::{apt, desk, messages, place, unpacked};
use crate::process;

const CONNECT: &str = include_str!("../../../interop/seeds/connect.json");
const SEND: &str = include_str!("../../../interop/seeds/send.json");
const OPTIONS: [(&str, &str); 3] = [
    ("a Unix socket", include_str!("../../../interop/seeds/socket.toml")),
    ("TCP", include_str!("../../../interop/seeds/tcp.toml")),
    ("TCP with TLS", include_str!("../../../interop/seeds/tls.toml")),
];
/// Addresses of the loopback that nothing else is at, for the ports of the examples.
const HOSTS: &str = "127.0.0.24 mail.example.com\n127.0.0.25 mail.internal\n127.0.0.26 localhost\n";
const LISTENERS: &str = "
  inet_listener example {
    address = 127.0.0.24
    port = 24
  }
  inet_listener internal {
    address = 127.0.0.25
    port = 2424
    ssl = yes
  }
  inet_listener local {
    address = 127.0.0.26
    port = 2424
  }";
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn check(certificates: &Certificates, program: &Program, checks: &mut Checks) -> Result<()> {
    if !(apt::is_root()? && process::is_available("unshare", &["--mount", "true"])) {
        println!("  skipped: the examples of the seeds, which need root for port 24");
        return Ok(());
    }
    let instance = Instance::start(certificates, "internal", LISTENERS)?;
    let directory = place::directory()?;
    let (etc, run) = (directory.path().join("etc"), directory.path().join("run"));
    unpacked::make_etc(&etc, &[])?;
    fs::write(etc.join("hosts"), HOSTS)?;
    fs::create_dir_all(etc.join("ssl/certs"))?;
    fs::copy(certificates.ca(), etc.join("ssl/certs/ca-bundle.crt"))?;
    fs::create_dir_all(run.join("dovecot"))?;
    symlink(instance.directory.path().join("lmtp.sock"), run.join("dovecot/lmtp"))?;
    let seen = [(etc.as_path(), "/etc"), (run.as_path(), "/run")];

    gateway(&instance, program, &seen, checks)?;
    for (what, options) in OPTIONS {
        checks.check(&format!("the example of the second seed for {what}"), || {
            let file = directory.path().join("deliver.toml");
            fs::write(&file, options)?;
            delivers(&instance, program, &seen, &file, directory.path())
        });
    }
    checks.check("stopping the one for the examples leaves no process", || instance.stop());
    Ok(())
}

/// Both requests of the first seed, by curl.
fn gateway(instance: &Instance, program: &Program, seen: &[(&Path, &str)], checks: &mut Checks) -> Result<()> {
    let [port] = desk::free_ports()?;
    let mut command = unpacked::command(seen, program.path());
    // The network is named: it is the loopback's, which is dialled only where it is meant.
    command.args(["gateway", "--listen", &format!("127.0.0.1:{port}"), "--allow", "127.0.0.24/32:24"]);
    let log = fs::File::create(instance.directory.path().join("gateway.log"))?;
    let mut daemon = Daemon::start_logging("lmtp gateway", &command, log)?;
    daemon.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    let api = format!("http://127.0.0.1:{port}/api/lmtp");
    checks.check("the first seed's probe, by POST and by GET", || {
        let posted = curl(&["-d", CONNECT, &format!("{api}/connect")])?;
        let got = curl(&[&format!("{api}/connect?host=mail.example.com&port=24&timeout=10000")])?;
        for found in [posted, got] {
            let (host, port, capabilities) = (&found["host"], &found["port"], &found["capabilities"]);
            let is_same = found["success"] == true && host == "mail.example.com" && port == 24;
            ensure!(is_same && found["protocol"] == "LMTP", "{found}");
            let greeting = found["greeting"].as_str().unwrap_or_default();
            ensure!(greeting.starts_with("220 dovecot.example.test"), "{found}");
            ensure!(capabilities.as_array().is_some_and(|all| all.contains(&json!("PIPELINING"))), "{found}");
        }
        Ok(())
    });
    checks.check("the first seed's message, with the recipient that is refused", || {
        let sent = curl(&["-d", SEND, &format!("{api}/send")])?;
        for (field, expected) in [
            ("success", json!(true)),
            ("host", json!("mail.example.com")),
            ("port", json!(24)),
            ("from", json!("sender@example.com")),
            ("recipientCount", json!(2)),
            ("acceptedCount", json!(1)),
            ("allDelivered", json!(false)),
        ] {
            ensure!(sent[field] == expected, "{field} is not {expected}: {sent}");
        }
        let [first, second] = &sent["deliveryStatus"].as_array().context("no rows")?[..] else {
            anyhow::bail!("not two rows: {sent}")
        };
        let row = |row: &Value, user: &str, code: u64, delivered: bool| {
            let message = row["message"].as_str().unwrap_or_default();
            row["recipient"] == user
                && row["code"] == code
                && row["delivered"] == delivered
                && message.starts_with(&format!("{code} "))
        };
        ensure!(row(first, "user1@example.com", 250, true), "{first}");
        ensure!(row(second, "user2@example.com", 550, false), "{second}");
        let stored = instance.take(Account("user1@example.com"))?;
        let stored = stored.first().map(|octets| String::from_utf8_lossy(octets).into_owned()).unwrap_or_default();
        ensure!(
            stored.contains("Subject: Test delivery\r\n") && stored.contains("Hello from Port of Call!"),
            "{stored}"
        );
        Ok(())
    });
    daemon.stop()
}

fn curl(arguments: &[&str]) -> Result<Value> {
    let mut curl = process::command("curl");
    curl.args(["--silent", "--show-error", "-H", "Content-Type: application/json"]).args(arguments);
    let finished = process::finish_within(&mut curl, LIMIT)?;
    serde_json::from_str(&finished.stdout).with_context(|| format!("{}{}", finished.stdout, finished.stderr))
}

fn delivers(instance: &Instance, program: &Program, seen: &[(&Path, &str)], options: &Path, at: &Path) -> Result<()> {
    let file = at.join("message.eml");
    fs::write(&file, messages::dots())?;
    let mut deliver = unpacked::command(seen, program.path());
    deliver.arg("deliver").arg("--config").arg(options).args([
        "--from",
        "sender@example.com",
        "--",
        "user1@example.com",
    ]);
    let finished = process::finish_within(deliver.stdin(fs::File::open(&file)?), LIMIT)?;
    ensure!(finished.status.success(), "{}: {}{}", finished.status, finished.stdout, finished.stderr);
    let stored = instance.take(Account("user1@example.com"))?;
    ensure!(stored == [messages::dots()], "{} messages are stored, or another one", stored.len());
    Ok(())
}
