//! OpenSSL's `s_client` against our server, and our client against its `s_server`: another TLS than rustls.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use super::certificates::Certificates;
use super::checks::Checks;
use super::desk::Desk;
use super::program::{Call, Program};
use super::server::same;
use super::{Availability, Peer, apt, messages};
use crate::process;

const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Openssl;

impl Peer for Openssl {
    fn name(&self) -> &'static str {
        "openssl"
    }

    fn obtain(&self) -> Result<Availability> {
        if process::is_available("openssl", &["version"]) {
            Ok(Availability::Ready)
        } else {
            apt::install(&["openssl"])
        }
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        for (name, port, args) in [
            ("implicit TLS 1.3", desk.tls_port(), &["-tls1_3"][..]),
            ("implicit TLS 1.2", desk.tls_port(), &["-tls1_2"]),
            ("STARTTLS, TLS 1.3", desk.starttls_port(), &["-tls1_3", "-starttls", "lmtp"]),
            ("STARTTLS, TLS 1.2", desk.starttls_port(), &["-tls1_2", "-starttls", "lmtp"]),
        ] {
            checks.check(&format!("s_client delivers over {name}"), || s_client(&desk, port, args));
        }
        checks.check("s_client with TLS 1.1 is refused", || too_old(&desk));
        desk.close()?;

        let certificates = Certificates::make()?;
        for version in ["-tls1_3", "-tls1_2"] {
            checks.check(&format!("lmtp delivers to s_server {version}"), || s_server(program, &certificates, version));
        }
        Ok(())
    }
}

fn s_client(desk: &Desk, port: u16, args: &[&str]) -> Result<()> {
    desk.clear()?;
    let message = messages::ordinary(1);
    let mut conversation =
        b"LHLO client.example.test\r\nMAIL FROM:<sender@example.org>\r\nRCPT TO:<good@example.test>\r\n\
        RCPT TO:<unknown@example.test>\r\nRCPT TO:<huge@example.test>\r\nDATA\r\n"
            .to_vec();
    conversation.extend_from_slice(&message);
    conversation.extend_from_slice(b".\r\nQUIT\r\n");
    let file = desk.directory().join("conversation");
    std::fs::write(&file, conversation)?;

    let mut client = process::command("openssl");
    client.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"]);
    client.args(["-verify_hostname", "localhost", "-verify_return_error", "-CAfile"]).arg(desk.certificates().ca());
    // -quiet: Q and R at the front of a line are for the server, and the end of the input does not hang up.
    client.arg("-quiet").args(args).stdin(std::fs::File::open(&file)?);
    let finished = process::finish_within(&mut client, LIMIT)?;
    let heard: Vec<_> = finished.stdout.lines().filter(|line| line.as_bytes().get(3) == Some(&b' ')).collect();
    let codes: Vec<_> = heard.iter().map(|line| &line[..3]).skip_while(|code| *code == "220").collect();
    ensure!(
        codes == ["250", "250", "250", "550", "250", "354", "250", "552", "221"],
        "{}: {}\n{}",
        finished.status,
        finished.stdout,
        finished.stderr
    );
    let stored = desk.take("good")?;
    ensure!(stored.len() == 1, "{} messages stored", stored.len());
    same(&stored[0], &message)?;
    ensure!(desk.last_caller()?.encrypted, "the server does not know of TLS");
    Ok(())
}

/// rustls speaks nothing older than TLS 1.2, and OpenSSL has to be talked into it.
fn too_old(desk: &Desk) -> Result<()> {
    let mut client = process::command("openssl");
    client.args(["s_client", "-connect", &format!("127.0.0.1:{}", desk.tls_port())]);
    client.args(["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]);
    let finished = process::finish_within(&mut client, LIMIT)?;
    let told = finished.stderr.contains(" alert ");
    ensure!(!finished.status.success() && told, "{}: {}", finished.status, finished.stderr);
    Ok(())
}

/// It has no idea of LMTP: we say what a server would.
fn s_server(program: &Program, certificates: &Certificates, version: &str) -> Result<()> {
    let mut command = process::command("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", version]);
    command.arg("-cert").arg(certificates.chain("server")).arg("-key").arg(certificates.key("server"));
    let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (say, hear) = (server.stdin.take().context("a pipe")?, server.stdout.take().context("a pipe")?);
    let served = serve(program, certificates, say, hear);
    // It does not end by itself while we could still say something.
    server.kill()?;
    server.wait()?;
    let (call, heard) = served?;
    call.exits_with(0)?;
    let sent = String::from_utf8(messages::ordinary(1))?.replace("\r\n", "\n");
    ensure!(heard.contains(&sent), "what came is not what was sent: {heard:?}");
    Ok(())
}

fn serve(
    program: &Program,
    certificates: &Certificates,
    mut say: ChildStdin,
    hear: ChildStdout,
) -> Result<(Call, String)> {
    let mut lines = BufReader::new(hear).lines();
    let port = loop {
        let line = lines.next().context("s_server has ended")??;
        // `ACCEPT 127.0.0.1:PORT`
        if let Some(port) = line.strip_prefix("ACCEPT ").and_then(|place| place.rsplit(':').next()) {
            break port.parse::<u16>().with_context(|| line.clone())?;
        }
    };
    let message = certificates.path("message.eml");
    std::fs::write(&message, messages::ordinary(1))?;
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let url = format!("lmtps://localhost:{port}");
            program.send_with(&url, &["good@example.test"], &message, |send| {
                send.arg("--ca-file").arg(certificates.ca()).args(["--timeout", "20"]);
            })
        });
        say.write_all(b"220 s_server LMTP\r\n")?;
        let mut heard = String::new();
        let mut in_content = false;
        for line in lines {
            let line = line?;
            let line = line.trim_end_matches('\r');
            let verb = line.split(' ').next().unwrap_or_default();
            let reply: &[u8] = match verb {
                "." if in_content => {
                    in_content = false;
                    b"250 2.0.0 kept\r\n"
                }
                _ if in_content => {
                    heard.push_str(line);
                    heard.push('\n');
                    continue;
                }
                "LHLO" => b"250-s_server\r\n250 ENHANCEDSTATUSCODES\r\n",
                "MAIL" | "RCPT" => b"250 2.1.0 ok\r\n",
                "DATA" => {
                    in_content = true;
                    b"354 go on\r\n"
                }
                "QUIT" => {
                    say.write_all(b"221 2.0.0 bye\r\n")?;
                    say.flush()?;
                    break;
                }
                // What it tells of the handshake.
                _ => continue,
            };
            say.write_all(reply)?;
            say.flush()?;
        }
        let Ok(call) = calling.join() else { bail!("the caller has panicked") };
        Ok((call?, heard))
    })
}
