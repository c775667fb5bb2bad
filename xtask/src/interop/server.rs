//! What every LMTP server must show when `lmtp` delivers to it.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};

use super::checks::Checks;
use super::program::{Answer, Call, Program};
use super::{library, messages};

/// A running server with its accounts, as a peer fills it in.
pub(crate) struct Server<'a> {
    /// Endpoints as `lmtp` takes them.
    pub(crate) unix: String,
    pub(crate) tcp: String,
    pub(crate) good: Account,
    pub(crate) other_good: Account,
    /// How a delivered message is answered for.
    pub(crate) saved: Wording,
    /// Refused at RCPT.
    pub(crate) unknown: (Account, Wording),
    /// Accepted at RCPT, refused for good after the data.
    pub(crate) full: (Account, Wording),
    /// Refused for now, in this phase: `rcpt` where the server compares the quota with SIZE, `final` elsewhere.
    pub(crate) full_for_now: (Account, &'static str, Wording),
    /// What the server stores when the same recipient is given twice: some store one copy.
    pub(crate) copies_for_two: usize,
    pub(crate) store: &'a dyn Store,
}

/// An address that the server was set up for.
#[derive(Clone, Copy)]
pub(crate) struct Account(pub(crate) &'static str);

/// How the server words an answer.
#[derive(Clone, Copy)]
pub(crate) struct Wording {
    pub(crate) code: u64,
    /// Empty for none.
    pub(crate) enhanced: &'static str,
    pub(crate) text: &'static str,
}

/// Where the server puts what it accepts.
pub(crate) trait Store {
    /// Takes all messages of a recipient out, without the trace fields that the server put in front.
    fn take(&self, account: Account) -> Result<Vec<Vec<u8>>>;

    /// What becomes of a message, trace fields aside. Most servers leave it alone.
    fn kept(&self, message: &[u8]) -> Vec<u8> {
        message.to_vec()
    }
}

impl Server<'_> {
    /// Runs every check. Each leaves the mailboxes that it used empty.
    pub(crate) fn check(&self, program: &Program, checks: &mut Checks) -> Result<()> {
        let directory = tempfile::tempdir()?;
        let case = Case { server: self, program, directory: directory.path() };

        for (name, url) in [("unix socket", &self.unix), ("TCP", &self.tcp)] {
            checks.check(&format!("probe over {name}"), || case.probe(url));
            checks.check(&format!("three recipients, three answers, over {name}"), || case.three(url));
        }
        checks.check("one refused for now makes it exit 75", || case.refused_for_now());
        checks.check("the same recipient twice", || case.twice());
        checks.check("two recipients of one message", || case.two());
        for (name, message) in [
            ("lines that begin with dots", messages::dots()),
            ("5 MiB", messages::large(5 << 20)),
            ("an empty message", messages::empty()),
            ("an 8-bit message", messages::eight_bit()),
        ] {
            checks.check(&format!("{name}, byte for byte"), || case.arrives_as_sent(&message));
        }
        checks.check("Unix line ends are converted, and it says so", || case.unix_line_ends());
        checks.check("500 messages over one connection", || library::many(self, &self.unix, 500, None));
        Ok(())
    }

    /// The answers for good, unknown and full.
    pub(crate) fn three(&self) -> [Answer<'static>; 3] {
        [
            answer((self.good, self.saved), "delivered", "final"),
            answer(self.unknown, "permanent", "rcpt"),
            answer(self.full, "permanent", "final"),
        ]
    }
}

/// What a check needs.
struct Case<'a> {
    server: &'a Server<'a>,
    program: &'a Program,
    /// For the message's file.
    directory: &'a Path,
}

impl Case<'_> {
    fn probe(&self, url: &str) -> Result<()> {
        let call = self.program.probe(url)?;
        call.exits_with(0)?;
        let capabilities = &call.json["capabilities"];
        ensure!(capabilities.to_string().contains("PIPELINING"), "no PIPELINING in {}", call.json);
        Ok(())
    }

    fn three(&self, url: &str) -> Result<()> {
        let Server { good, unknown, full, .. } = *self.server;
        let message = messages::ordinary(3);
        let call = self.send(url, &[good, unknown.0, full.0], &message)?;
        call.exits_with(69)?.answers(&self.server.three())?;
        self.stored(good, 1, &message)?;
        self.stored(full.0, 0, &message)
    }

    fn refused_for_now(&self) -> Result<()> {
        let Server { good, full, full_for_now: (for_now, phase, wording), .. } = *self.server;
        let message = messages::ordinary(75);
        let call = self.send(&self.server.unix, &[full.0, for_now, good], &message)?;
        call.exits_with(75)?.answers(&[
            answer(full, "permanent", "final"),
            answer((for_now, wording), "temporary", phase),
            self.delivered(good),
        ])?;
        self.stored(good, 1, &message)?;
        self.stored(for_now, 0, &message)
    }

    fn twice(&self) -> Result<()> {
        let Server { good, copies_for_two, .. } = *self.server;
        let message = messages::ordinary(22);
        let call = self.send(&self.server.unix, &[good, good], &message)?;
        call.exits_with(0)?.answers(&[self.delivered(good), self.delivered(good)])?;
        self.stored(good, copies_for_two, &message)
    }

    fn two(&self) -> Result<()> {
        let Server { good, other_good, .. } = *self.server;
        let message = messages::ordinary(2);
        let call = self.send(&self.server.tcp, &[other_good, good], &message)?;
        call.exits_with(0)?.answers(&[self.delivered(other_good), self.delivered(good)])?;
        self.stored(good, 1, &message)?;
        self.stored(other_good, 1, &message)
    }

    fn arrives_as_sent(&self, message: &[u8]) -> Result<()> {
        let good = self.server.good;
        let call = self.send(&self.server.unix, &[good], message)?;
        call.exits_with(0)?.answers(&[self.delivered(good)])?;
        self.stored(good, 1, message)
    }

    fn unix_line_ends(&self) -> Result<()> {
        let good = self.server.good;
        let message = messages::dots();
        let call = self.send(&self.server.unix, &[good], &messages::with_unix_line_ends(&message))?;
        call.exits_with(0)?.answers(&[self.delivered(good)])?;
        self.stored(good, 1, &message)?;
        let said = call.stderr.to_lowercase();
        ensure!(said.contains("line end"), "standard error says nothing of line ends: {said:?}");
        Ok(())
    }

    fn send(&self, url: &str, to: &[Account], message: &[u8]) -> Result<Call> {
        // What a check that failed has left behind must not fail this one too.
        for account in to {
            self.server.store.take(*account)?;
        }
        let file = self.directory.join("message.eml");
        fs::write(&file, message)?;
        let to: Vec<&str> = to.iter().map(|account| account.0).collect();
        self.program.send(url, &to, &file)
    }

    fn stored(&self, account: Account, copies: usize, sent: &[u8]) -> Result<()> {
        let stored = self.server.store.take(account)?;
        ensure!(stored.len() == copies, "{}: {} messages stored instead of {copies}", account.0, stored.len());
        for stored in stored {
            same(&stored, &self.server.store.kept(sent))?;
        }
        Ok(())
    }

    fn delivered(&self, account: Account) -> Answer<'static> {
        answer((account, self.server.saved), "delivered", "final")
    }
}

fn answer((account, wording): (Account, Wording), outcome: &'static str, phase: &'static str) -> Answer<'static> {
    let Wording { code, enhanced, text } = wording;
    Answer { recipient: account.0, outcome, phase, code, enhanced, text }
}

/// Fails with the first difference: a dump of 5 MiB helps nobody.
pub(crate) fn same(stored: &[u8], sent: &[u8]) -> Result<()> {
    if stored == sent {
        return Ok(());
    }
    let at = stored.iter().zip(sent).take_while(|(stored, sent)| stored == sent).count();
    let around = |octets: &[u8]| {
        let end = octets.len().min(at + 30);
        octets[at.saturating_sub(30)..end].escape_ascii().to_string()
    };
    anyhow::bail!(
        "{} octets sent, {} stored; they differ at {at}: sent \"{}\", stored \"{}\"",
        sent.len(),
        stored.len(),
        around(sent),
        around(stored)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_difference_is_told_with_its_place() {
        same(b"a\r\n", b"a\r\n").unwrap();
        for (stored, sent) in [(&b"a"[..], &b"a\r\n"[..]), (b"a\n", b"a\r\n"), (b"", b"x"), (b"x", b"")] {
            let error = same(stored, sent).unwrap_err().to_string();
            assert!(error.contains("differ at"), "{error}");
        }
    }
}
