//! What every foreign LMTP client must show when it delivers to a server of ours.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::checks::Checks;
use super::desk::Desk;
use super::messages;
use super::server::same;
use super::trace::{self, Field};

/// A foreign client.
pub(crate) trait Client {
    /// What it puts in front of a message.
    fn trace(&self) -> &'static [Field] {
        &[]
    }

    /// What it makes of a refusal.
    fn takes_for(&self, _over: Over, refused: Verdict) -> Verdict {
        refused
    }

    /// Delivers a message and says what became of each recipient. Their domains are [`Over::domain`].
    fn deliver(&self, desk: &Desk, over: Over, to: &[String], message: &[u8]) -> Result<Vec<Told>>;
}

/// The way to the server.
#[derive(Clone, Copy)]
pub(crate) enum Over {
    Unix,
    Tcp,
    StartTls,
    /// TLS from the first octet.
    Tls,
    /// By `lmtp deliver`, over the Unix socket.
    Agent,
}

impl Over {
    /// Those clients that have routes find theirs by it.
    pub(crate) fn domain(self) -> &'static str {
        match self {
            Self::Unix => "unix.test",
            Self::Tcp => "tcp.test",
            Self::StartTls => "starttls.test",
            Self::Tls => "tls.test",
            Self::Agent => "agent.test",
        }
    }

    /// Whether the server has to have seen TLS.
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Self::StartTls | Self::Tls)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix socket",
            Self::Tcp => "TCP",
            Self::StartTls => "STARTTLS",
            Self::Tls => "implicit TLS",
            Self::Agent => "lmtp deliver",
        }
    }
}

/// What a client says became of a recipient.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) recipient: String,
    pub(crate) verdict: Verdict,
    /// With the reply in it, where the client tells that.
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Delivered,
    Temporary,
    Permanent,
}

impl Verdict {
    /// As a reply's text says it, which begins with its code.
    pub(crate) fn of_reply(reply: &str) -> Result<Self> {
        match reply.as_bytes().first() {
            Some(b'2') => Ok(Self::Delivered),
            Some(b'4') => Ok(Self::Temporary),
            Some(b'5') => Ok(Self::Permanent),
            _ => anyhow::bail!("no final reply: {reply:?}"),
        }
    }
}

/// What a log comes to say of each recipient, a line for each.
pub(crate) fn told_by(
    to: &[String],
    patience: Duration,
    log: impl Fn() -> String,
    told: impl Fn(&str) -> Option<Told>,
) -> Result<Vec<Told>> {
    let deadline = Instant::now() + patience;
    loop {
        let log = log();
        let all: Vec<Told> = log.lines().filter_map(&told).collect();
        if to.iter().all(|to| all.iter().any(|told| told.recipient == *to)) {
            return Ok(all);
        }
        ensure!(Instant::now() < deadline, "it does not say what became of the message: {log}");
        sleep(Duration::from_millis(20));
    }
}

/// Every user that there is a case for, what has to become of it, and what is said.
const CASES: [(&str, Verdict, &str); 4] = [
    ("good", Verdict::Delivered, ""),
    ("unknown", Verdict::Permanent, "No such mailbox"),
    ("full", Verdict::Temporary, "Injected fault"),
    ("huge", Verdict::Permanent, "Injected fault"),
];

/// Runs every check, without TLS.
pub(crate) fn check(client: &dyn Client, desk: &Desk, checks: &mut Checks) {
    check_over(client, desk, &[Over::Unix, Over::Tcp], checks);
}

/// Runs every check over these.
pub(crate) fn check_over(client: &dyn Client, desk: &Desk, ways: &[Over], checks: &mut Checks) {
    for &over in ways {
        checks.check(&format!("four recipients, four answers, over {}", over.name()), || four(client, desk, over));
        checks.check(&format!("nobody is taken, over {}", over.name()), || nobody(client, desk, over));
        checks.check(&format!("1 MiB for two, over {}", over.name()), || large(client, desk, over));
    }
}

fn four(client: &dyn Client, desk: &Desk, over: Over) -> Result<()> {
    desk.clear()?;
    let message = messages::dots();
    let to = CASES.map(|(user, ..)| address(user, over));
    let told = client.deliver(desk, over, &to, &message)?;
    for (user, verdict, text) in CASES {
        let told = only(&told, &address(user, over))?;
        let expected = if verdict == Verdict::Delivered { verdict } else { client.takes_for(over, verdict) };
        ensure!(
            told.verdict == expected && told.text.contains(text),
            "{user}: expected {verdict:?}, {text:?}: {told:?}"
        );
        let stored = desk.take(user)?;
        let expected = usize::from(verdict == Verdict::Delivered);
        ensure!(stored.len() == expected, "{user}: {} messages instead of {expected}", stored.len());
        stored.iter().try_for_each(|stored| same(trace::without(stored, client.trace())?, &message))?;
    }
    came(desk, over)
}

/// No recipient is accepted, whatever was said behind RCPT already; and the next message is not hurt by it.
fn nobody(client: &dyn Client, desk: &Desk, over: Over) -> Result<()> {
    desk.clear()?;
    let to = ["unknown", "stranger"].map(|user| address(user, over));
    let told = client.deliver(desk, over, &to, &messages::dots())?;
    for to in &to {
        let told = only(&told, to)?;
        ensure!(
            told.verdict == client.takes_for(over, Verdict::Permanent) && told.text.contains("No such mailbox"),
            "{told:?}"
        );
    }
    ensure!(desk.callers()?.is_empty(), "something was delivered");
    Ok(())
}

/// The message took the way that it was to take.
fn came(desk: &Desk, over: Over) -> Result<()> {
    let caller = desk.last_caller()?;
    ensure!(
        caller.encrypted == over.is_encrypted() && caller.address.is_none() == matches!(over, Over::Unix | Over::Agent),
        "the last message came from {caller:?}"
    );
    Ok(())
}

fn large(client: &dyn Client, desk: &Desk, over: Over) -> Result<()> {
    desk.clear()?;
    let message = messages::large(1 << 20);
    let to = ["good", "bob"].map(|user| address(user, over));
    let told = client.deliver(desk, over, &to, &message)?;
    for user in ["good", "bob"] {
        let told = only(&told, &address(user, over))?;
        ensure!(told.verdict == Verdict::Delivered, "{told:?}");
        let stored = desk.take(user)?;
        ensure!(stored.len() == 1, "{user}: {} messages", stored.len());
        same(trace::without(&stored[0], client.trace())?, &message)?;
    }
    Ok(())
}

/// The one thing that was told about a recipient.
fn only<'a>(told: &'a [Told], recipient: &str) -> Result<&'a Told> {
    let mut about = told.iter().filter(|told| told.recipient == recipient);
    let first = about.next().with_context(|| format!("nothing is told about {recipient}: {told:?}"))?;
    ensure!(about.next().is_none(), "more than one thing is told about {recipient}: {told:?}");
    Ok(first)
}

fn address(user: &str, over: Over) -> String {
    format!("{user}@{}", over.domain())
}
