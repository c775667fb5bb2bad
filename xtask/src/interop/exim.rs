//! Exim: its LMTP transport for a Unix socket, and its SMTP transport speaking LMTP over TCP.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use super::agent::Agent;
use super::checks::Checks;
use super::client::{self, Client, Over, Told, Verdict};
use super::desk::Desk;
use super::program::Program;
use super::trace::Field;
use super::unpacked::{self, Package};
use super::{Availability, Peer, messages, place};
use crate::process;

const CONFIGURATION: &str = include_str!("../../interop/exim/exim.conf.in");
pub(crate) const PACKAGE: Package = Package { name: "exim4-daemon-light", libraries: &["libgnutls-dane0", "libidn12"] };
/// The user that Exim runs as, in the private /etc alone.
pub(crate) const UID: u32 = 64_999;

pub(crate) struct Exim;

impl Peer for Exim {
    fn name(&self) -> &'static str {
        "exim"
    }

    fn obtain(&self) -> Result<Availability> {
        PACKAGE.obtain()
    }

    fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let desk = Desk::open()?;
        let agent = Agent::new(program, &desk)?;
        let instance = Instance::unpack(&desk, &agent)?;
        client::check(&instance, &desk, checks);
        client::check_over(&instance, &desk, &[Over::StartTls, Over::Agent], checks);
        checks.check("BDAT is what it sends where CHUNKING is offered", || chunks(&instance, &desk));
        desk.close()
    }
}

/// Its log names the command that was refused.
fn chunks(instance: &Instance, desk: &Desk) -> Result<()> {
    let told = instance.deliver(desk, Over::Tcp, &["huge@tcp.test".to_owned()], &messages::dots())?;
    let told = told.first().context("nothing is told")?;
    ensure!(told.text.contains("BDAT") && told.text.contains("LAST: 552 5.2.2 Injected fault"), "{told:?}");
    Ok(())
}

/// An Exim with a spool and an /etc of its own. Nothing of it runs but while it delivers.
struct Instance {
    directory: TempDir,
}

impl Instance {
    fn unpack(desk: &Desk, agent: &Agent) -> Result<Self> {
        let directory = place::directory()?;
        let instance = Self { directory };
        PACKAGE.unpack(&instance.path("package"))?;
        for part in ["spool", "log"] {
            fs::create_dir(instance.path(part))?;
            chown(instance.path(part), Some(UID), Some(UID))?;
        }
        let configuration = CONFIGURATION
            .replace("@DIR@", &instance.directory.path().to_string_lossy())
            .replace("@EXIM@", &instance.program().to_string_lossy())
            .replace("@UNIX@", &desk.socket().to_string_lossy())
            .replace("@PORT@", &desk.port().to_string())
            .replace("@STARTTLS_PORT@", &desk.starttls_port().to_string())
            .replace("@PROGRAM@", &agent.program.to_string_lossy())
            .replace("@DELIVER@", &agent.options.to_string_lossy())
            .replace("@CA@", &desk.certificates().ca().to_string_lossy());
        fs::write(instance.path("exim.conf"), configuration)?;
        instance.make_etc()?;
        Ok(instance)
    }

    /// Exim looks its user up, and asks /etc whether it may trust a configuration. It sees this one.
    fn make_etc(&self) -> Result<()> {
        unpacked::make_etc(&self.path("etc"), &[("Debian-exim", UID)])?;
        fs::create_dir_all(self.path("etc/exim4"))?;
        let trusted = format!("{}\n", self.path("exim.conf").display());
        Ok(fs::write(self.path("etc/exim4/trusted_configs"), trusted)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self) -> PathBuf {
        self.path("package/usr/sbin/exim4")
    }
}

impl Client for Instance {
    fn trace(&self) -> &'static [Field] {
        const TRACE: [Field; 1] = [Field::always("Received: ")];
        &TRACE
    }

    fn deliver(&self, _: &Desk, _: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>> {
        let file = self.path("message.eml");
        fs::write(&file, messages::with_unix_line_ends(message))?;
        let log = self.path("log/mainlog");
        let before = fs::read_to_string(&log).unwrap_or_default().len();

        let mut exim = unpacked::command(&[(&self.path("etc"), "/etc")], &self.program());
        exim.arg("-C").arg(self.path("exim.conf"));
        // In the foreground, and without a sender there are no bounces.
        exim.args(["-odf", "-i", "-f", "<>"]).args(to).stdin(File::open(&file)?);
        let finished = process::finish_within(&mut exim, Duration::from_secs(60))?;
        let log = fs::read_to_string(&log).with_context(|| format!("Exim says: {}", finished.stderr))?;
        let mut all = Vec::new();
        // What a program says stands in a line of its own, before what becomes of the recipient.
        let mut said = "";
        for line in log[before..].lines() {
            if let Some((_, output)) = line.split_once(" transport output: ") {
                said = output;
            } else if let Some(told) = told(line) {
                let text = format!("{} {}", told.text, std::mem::take(&mut said));
                all.push(Told { text, ..told });
            }
        }
        Ok(all)
    }
}

/// What a line of Exim's log says about a recipient, if it does: `DATE TIME ID => ADDRESS R=…`.
fn told(line: &str) -> Option<Told> {
    let mut words = line.split(' ').skip(3);
    let verdict = match words.next()? {
        "=>" | "->" => Verdict::Delivered,
        "==" => Verdict::Temporary,
        "**" => Verdict::Permanent,
        _ => return None,
    };
    // The local part stands in front of the address where Exim delivers itself.
    let address = words.map(|word| word.trim_end_matches(':')).find(|word| word.contains('@'))?;
    let recipient = address.trim_start_matches('<').trim_end_matches('>').to_owned();
    Some(Told { recipient, verdict, text: line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_read() {
        for (line, recipient, verdict) in [
            ("=> good <good@unix.test> R=over_unix T=lmtp_unix C=\"250 ok\"", "good@unix.test", Verdict::Delivered),
            ("-> bob@tcp.test R=over_tcp T=lmtp_tcp C=\"250 ok\"", "bob@tcp.test", Verdict::Delivered),
            ("** x@tcp.test R=over_tcp T=lmtp_tcp: 550 no", "x@tcp.test", Verdict::Permanent),
            ("== y@tcp.test R=over_tcp T=lmtp_tcp defer (0): 452 no", "y@tcp.test", Verdict::Temporary),
        ] {
            let told = told(&format!("2026-11-25 23:43:12 1xWMds-00011w-0P {line}")).unwrap();
            assert_eq!((told.recipient.as_str(), told.verdict), (recipient, verdict));
        }
        assert!(told("2026-11-25 23:43:12 1xWMds-00011w-0P <= s@example.org U=root P=local S=248").is_none());
    }
}
