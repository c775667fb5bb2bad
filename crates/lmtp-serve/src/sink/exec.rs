//! To a command, run once for each recipient: its exit code is the answer.

use std::io;
use std::pin::pin;
use std::process::Stdio;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use lmtp_tokio::proto::bytes::Bytes;
use lmtp_tokio::proto::trace;
use lmtp_tokio::proto::value::EnhancedCode;
use lmtp_tokio::{ForwardPath, Reply};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::{Verdict, Whole, reply};

/// So long what is said is waited for when a command has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// So much of what a command says is kept.
const SAID: usize = 4096;

/// A command that delivers, and how it is run.
#[derive(Debug)]
pub(crate) struct Exec {
    program: String,
    arguments: Vec<Argument>,
    delimiter: Option<char>,
    patience: Duration,
    /// How many may run at once, of all messages together.
    room: Semaphore,
}

/// A word of the command line, with what is put into it. It stays one word, and no shell sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Argument(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Recipient,
    Sender,
    User,
    Domain,
    Detail,
    Name,
}

const FIELDS: [(&str, Field); 6] = [
    ("recipient", Field::Recipient),
    ("sender", Field::Sender),
    ("user", Field::User),
    ("domain", Field::Domain),
    ("detail", Field::Detail),
    ("id", Field::Name),
];

impl FromStr for Argument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, after) = behind.split_once('}').ok_or_else(|| format!("{text:?} has a {{ without a }}"))?;
            let field = FIELDS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
                let known: Vec<String> = FIELDS.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                format!("{{{name}}} in {text:?} is not known; there are {}", known.join(", "))
            })?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Field(field.1));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }
}

impl Exec {
    /// The program by its path, and its arguments. At most so many run at once, and each has so long.
    ///
    /// # Errors
    ///
    /// There is no program, or a field that is not known.
    pub(crate) fn new(
        command: &[String],
        delimiter: Option<char>,
        patience: Duration,
        most: usize,
    ) -> Result<Self, String> {
        let [program, arguments @ ..] = command else { return Err("names no program".into()) };
        if !program.starts_with('/') {
            return Err(format!("{program:?} does not begin with a /"));
        }
        let arguments = arguments.iter().map(|argument| argument.parse()).collect::<Result<_, _>>()?;
        let room = Semaphore::new(most.max(1));
        Ok(Self { program: program.clone(), arguments, delimiter, patience, room })
    }

    /// Refuses what the command would take for an option.
    pub(super) fn recipient(&self, path: &ForwardPath) -> Result<(), Verdict> {
        let text = path.to_string();
        let detail = Address::of(&text, self.delimiter).detail.starts_with('-');
        match text.starts_with('-') || detail {
            true => Err(Verdict::new(reply(553, (1, 3), "Addresses that begin with - are not taken here"))),
            false => Ok(()),
        }
    }

    pub(super) async fn deliver(&self, message: &Whole<'_>) -> Vec<Verdict> {
        join_all(message.envelope.recipients().iter().map(|(path, _)| self.deliver_to(path, message))).await
    }

    async fn deliver_to(&self, path: &ForwardPath, message: &Whole<'_>) -> Verdict {
        let _place = self.room.acquire().await;
        let failed =
            |error: io::Error| Verdict::because(Reply::try_again_later(), format!("{}: {error}", self.program));
        let mut child = match self.command(path, message).spawn() {
            Ok(child) => child,
            Err(error) => return failed(error),
        };
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        match tokio::time::timeout(self.patience, self.talk(&mut child, path, message)).await {
            Ok(Ok((code, said))) => verdict(code, &said),
            Ok(Err(error)) => failed(error),
            Err(_) => {
                drop(group);
                let why = format!("{} has not ended in {} s and was killed", self.program, self.patience.as_secs());
                Verdict::because(reply(451, (3, 0), "Delivery takes too long"), why)
            }
        }
    }

    fn command(&self, path: &ForwardPath, message: &Whole<'_>) -> Command {
        let (recipient, sender) = (path.to_string(), message.envelope.from().to_string());
        let address = Address::of(&recipient, self.delimiter);
        let value = |field| match field {
            Field::Recipient => recipient.as_str(),
            Field::Sender => sender.as_str(),
            Field::User => address.user,
            Field::Domain => address.domain,
            Field::Detail => address.detail,
            Field::Name => message.name,
        };
        let mut command = Command::new(&self.program);
        for argument in &self.arguments {
            let parts = argument.0.iter().map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Field(field) => value(*field),
            });
            command.arg(parts.collect::<String>());
        }
        command.env("RECIPIENT", &recipient).env("SENDER", &sender).env("LMTP_ID", message.name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    }

    /// Hands the message over, and gives the exit code and the first line that was said.
    async fn talk(
        &self,
        child: &mut Child,
        path: &ForwardPath,
        message: &Whole<'_>,
    ) -> io::Result<(Option<i32>, String)> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let write = async {
            let Some(mut stdin) = stdin else { return Ok(()) };
            let written = hand_over(&mut stdin, path, message).await;
            drop(stdin);
            match written {
                // It need not read all, or anything.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other,
            }
        };
        // What it says goes on being read, so that it never waits for us.
        let (out, err) = (Mutex::default(), Mutex::default());
        let mut talking = pin!(async { tokio::join!(write, hear(stdout, &out), hear(stderr, &err)).0 });
        let status = tokio::select! {
            status = child.wait() => {
                // Its code is the answer. What it leaves behind may hold on to its lines, and is not waited for.
                tokio::time::timeout(LAST_WORDS, &mut talking).await.unwrap_or(Ok(()))?;
                status
            }
            written = &mut talking => {
                written?;
                child.wait().await
            }
        };
        let [out, err] = [&out, &err].map(|said| said.lock().unwrap_or_else(PoisonError::into_inner).clone());
        let said = [out, err].iter().find_map(|said| first_line(said)).unwrap_or_default();
        Ok((status?.code(), said))
    }
}

/// Refuses a sender that the command would take for an option.
pub(super) fn sender(from: &str) -> Result<(), Verdict> {
    match from.starts_with('-') {
        true => Err(Verdict::new(reply(553, (1, 7), "Addresses that begin with - are not taken here"))),
        false => Ok(()),
    }
}

/// The processes of a command. What is left of them is killed: also what it has left behind.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Mostly nobody is left.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// The message with its header, lines ended as in files here: LF.
async fn hand_over(stdin: &mut tokio::process::ChildStdin, path: &ForwardPath, message: &Whole<'_>) -> io::Result<()> {
    let mut header = trace::return_path(message.envelope.from());
    if let ForwardPath::Mailbox(mailbox) = path {
        header.push_str(&trace::delivered_to(mailbox));
    }
    header.push_str(&message.received(Some(path)));
    stdin.write_all(header.replace("\r\n", "\n").as_bytes()).await?;
    let (mut at, mut held) = (0, false);
    loop {
        let piece = message.content.piece(at).await?;
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        stdin.write_all(&unix(&piece, &mut held)).await?;
    }
    if held {
        stdin.write_all(b"\r").await?;
    }
    stdin.flush().await
}

/// CRLF becomes LF. A CR at the end waits for what comes behind it.
fn unix(piece: &Bytes, held: &mut bool) -> Vec<u8> {
    let mut lines = Vec::with_capacity(piece.len() + 1);
    for &octet in piece {
        if std::mem::take(held) && octet != b'\n' {
            lines.push(b'\r');
        }
        match octet {
            b'\r' => *held = true,
            octet => lines.push(octet),
        }
    }
    lines
}

/// Keeps the beginning of what is said; the rest is read, too.
async fn hear(from: Option<impl AsyncRead + Unpin>, said: &Mutex<Vec<u8>>) {
    let Some(mut from) = from else { return };
    let mut room = [0; SAID];
    while let Ok(count @ 1..) = from.read(&mut room).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = count.min(SAID.saturating_sub(said.len()));
        said.extend_from_slice(&room[..wanted]);
    }
}

fn first_line(said: &[u8]) -> Option<String> {
    let said = String::from_utf8_lossy(said);
    said.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// What an exit code of sysexits.h is for a recipient. What may be the fault of the command or of this machine is
/// for now: a broken command bounces nobody's mail.
fn verdict(code: Option<i32>, said: &str) -> Verdict {
    let (status, enhanced, words) = match code {
        Some(0) => (250, (0, 0), "Delivered"),
        Some(65) => (554, (6, 0), "Message content not taken"),
        Some(67) => (550, (1, 1), "No such user"),
        Some(68) => (550, (1, 2), "No such host"),
        Some(69) => (554, (3, 0), "Delivery refused"),
        Some(_) | None => (451, (3, 0), "Delivery failed, try again later"),
    };
    let error = match code {
        Some(0 | 65 | 67..=69) => None,
        Some(code) => Some(format!("exit code {code}: {said}")),
        None => Some(format!("ended by a signal: {said}")),
    };
    // Words may begin with a code of their own, as with Postfix's pipe(8).
    let (own, rest) = said.split_once(' ').unwrap_or((said, ""));
    let own = own.parse::<EnhancedCode>().ok().filter(|own| u16::from(own.class()) == status / 100);
    let reply = match own {
        Some(own) => reply(status, (own.subject(), own.detail()), if rest.is_empty() { words } else { rest }),
        None => reply(status, enhanced, if said.is_empty() { words } else { said }),
    };
    Verdict { error, ..Verdict::new(reply) }
}

/// The parts of an address, as text.
struct Address<'a> {
    user: &'a str,
    domain: &'a str,
    detail: &'a str,
}

impl<'a> Address<'a> {
    fn of(text: &'a str, delimiter: Option<char>) -> Self {
        let (local, domain) = text.rsplit_once('@').unwrap_or((text, ""));
        let parts = delimiter.and_then(|delimiter| local.split_once(delimiter)).filter(|(user, _)| !user.is_empty());
        let (user, detail) = parts.unwrap_or((local, ""));
        Self { user, domain, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_not_known_is_refused() {
        let exec = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Exec::new(&words, None, Duration::from_secs(1), 1).map(drop)
        };
        exec(&["/bin/x", "-d", "{user}@{domain}", "--", "{recipient}"]).unwrap();
        for (words, why) in [
            (&[][..], "names no program"),
            (&["x"], "does not begin with a /"),
            (&["/x", "{nobody}"], "{nobody} in \"{nobody}\" is not known; there are {recipient}, {sender}"),
            (&["/x", "a{user"], "has a { without a }"),
        ] {
            assert!(exec(words).unwrap_err().contains(why), "{words:?}");
        }
    }

    #[test]
    fn an_exit_code_is_an_answer() {
        for (code, said, answer) in [
            (Some(0), "", "250 2.0.0 Delivered"),
            (Some(0), "kept as 7", "250 2.0.0 kept as 7"),
            (Some(67), "", "550 5.1.1 No such user"),
            (Some(67), "5.2.1 bob has gone", "550 5.2.1 bob has gone"),
            (Some(67), "4.2.1 bob has gone", "550 5.1.1 4.2.1 bob has gone"),
            (Some(65), "caf\u{e9}\u{7}", "554 5.6.0 caf??"),
            (Some(75), "4.2.2", "451 4.2.2 Delivery failed, try again later"),
            (Some(75), "later", "451 4.3.0 later"),
            // Its own trouble is nobody else's.
            (Some(1), "", "451 4.3.0 Delivery failed, try again later"),
            (Some(64), "usage: x", "451 4.3.0 usage: x"),
            (None, "", "451 4.3.0 Delivery failed, try again later"),
        ] {
            assert_eq!(verdict(code, said).reply.to_string(), answer, "{code:?} {said:?}");
        }
    }

    #[test]
    fn line_ends_across_pieces() {
        let whole = b"a\r\nb\r\rc\r\n\nd\r";
        for cut in 0..=whole.len() {
            let (mut held, mut lines) = (false, Vec::new());
            for piece in [&whole[..cut], &whole[cut..]] {
                lines.extend(unix(&Bytes::from_static(piece), &mut held));
            }
            assert_eq!((lines.as_slice(), held), (&b"a\nb\r\rc\n\nd"[..], true), "cut at {cut}");
        }
    }

    #[test]
    fn nothing_looks_like_an_option() {
        let exec = Exec::new(&["/bin/x".into()], Some('+'), Duration::from_secs(1), 1).unwrap();
        for (address, is_taken) in
            [("bob@x", true), ("b-ob+l-ist@x", true), ("-bob@x", false), ("bob+-rf@x", false), ("postmaster", true)]
        {
            assert_eq!(exec.recipient(&address.parse().unwrap()).is_ok(), is_taken, "{address}");
        }
        assert!(sender("-bob@x").is_err() && sender("b-ob@x").is_ok() && sender("").is_ok());
    }
}
