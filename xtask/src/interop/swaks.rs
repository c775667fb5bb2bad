//! swaks, which tells what it says and hears.

use std::collections::VecDeque;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::desk::Desk;
use super::program::Program;
use super::{Availability, Peer, apt};
use crate::process;

pub(crate) struct Swaks;

impl Peer for Swaks {
    fn name(&self) -> &'static str {
        "swaks"
    }

    fn obtain(&self) -> Result<Availability> {
        // Without the modules it has no TLS.
        let modules = process::is_available("perl", &["-MNet::SSLeay", "-MIO::Socket::SSL", "-e1"]);
        if modules && process::is_available("swaks", &["--version"]) {
            return Ok(Availability::Ready);
        }
        apt::install(&["swaks", "libnet-ssleay-perl", "libio-socket-ssl-perl"])
    }

    fn check(&self, _: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        for (name, pipelines) in [("lock-step", false), ("pipelined", true)] {
            println!("  {name}");
            client::check(&Sender { pipelines }, &desk, checks);
            client::check_over(&Sender { pipelines }, &desk, &[Over::StartTls, Over::Tls], checks);
        }
        desk.close()
    }
}

struct Sender {
    pipelines: bool,
}

impl Client for Sender {
    fn deliver(&self, desk: &Desk, over: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let file = desk.directory().join("message.eml");
        // It takes a dot at the end for the one behind the data, and a message may well end with one of its own.
        fs::write(&file, [message, b".\r\n"].concat())?;
        let mut swaks = process::command("swaks");
        swaks.args(["--protocol", "LMTP", "--helo", "swaks.example.test", "--from", "sender@example.org"]);
        swaks.arg("--to").arg(to.join(",")).arg("--data").arg(format!("@{}", file.display()));
        match over {
            Over::Unix => swaks.arg("--socket").arg(desk.socket()),
            Over::Tcp => swaks.arg("--server").arg(format!("127.0.0.1:{}", desk.port())),
            Over::StartTls => swaks.arg("--server").arg(format!("localhost:{}", desk.starttls_port())).arg("--tls"),
            Over::Tls => swaks.arg("--server").arg(format!("localhost:{}", desk.tls_port())).arg("--tlsc"),
            Over::Agent => bail!("swaks calls no agent"),
        };
        if over.is_encrypted() {
            swaks.args(["--tls-verify", "--tls-ca-path"]).arg(desk.certificates().ca());
        }
        if self.pipelines {
            swaks.arg("--pipeline");
        }
        // Its exit code is 0 when anybody got the message: the transcript says more.
        let finished = process::finish_within(&mut swaks, Duration::from_secs(60))?;
        told(&finished.stdout).with_context(|| format!("swaks: {}", finished.stderr))
    }
}

/// In front of replies good and bad, in clear and encrypted.
const HEARD: [&str; 4] = ["<-  ", "<** ", "<~  ", "<~* "];

/// What was said and heard about each recipient.
fn told(transcript: &str) -> Result<Vec<Told>> {
    /// What a reply is waited for.
    enum Asked {
        Recipient(String),
        Final(String),
        Other,
    }
    let mut told = Vec::new();
    let mut accepted = Vec::new();
    // The greeting is answered for before anything is asked.
    let mut asked = VecDeque::from([Asked::Other]);
    let mut in_content = false;
    for line in transcript.lines() {
        if let Some(said) = line.strip_prefix(" -> ").or_else(|| line.strip_prefix(" ~> ")) {
            if in_content {
                if said == "." {
                    in_content = false;
                    asked.extend(accepted.drain(..).map(Asked::Final));
                }
            } else if let Some(to) = said.strip_prefix("RCPT TO:<") {
                asked.push_back(Asked::Recipient(to.trim_end_matches('>').to_owned()));
            } else {
                asked.push_back(Asked::Other);
            }
        } else if let Some(heard) = HEARD.iter().find_map(|mark| line.strip_prefix(mark)) {
            if heard.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            in_content |= heard.starts_with("354");
            match asked.pop_front().with_context(|| format!("a reply to nothing: {heard:?}"))? {
                Asked::Recipient(to) if heard.starts_with('2') => accepted.push(to),
                Asked::Recipient(recipient) | Asked::Final(recipient) => {
                    told.push(Told { recipient, verdict: Verdict::of_reply(heard)?, text: heard.to_owned() });
                }
                Asked::Other => {}
            }
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_replies_go_to_those_who_were_accepted() {
        let transcript = "<-  220 a\n -> LHLO b\n<-  250-a\n<-  250 PIPELINING\n -> MAIL FROM:<s@b>\n -> RCPT TO:<x@b>\n \
            -> RCPT TO:<y@b>\n -> RCPT TO:<z@b>\n -> DATA\n<-  250 ok\n<-  250 ok\n<** 550 no\n<-  250 ok\n<-  354 go\n \
            -> RCPT TO:<not@b>\n -> ..\n -> .\n<-  250 stored\n<** 452 later\n -> QUIT\n<-  221 bye\n";
        let told = told(transcript).unwrap();
        let told: Vec<_> = told.iter().map(|told| (told.recipient.as_str(), told.text.as_str())).collect();
        assert_eq!(told, [("y@b", "550 no"), ("x@b", "250 stored"), ("z@b", "452 later")]);
    }
}
