//! Where the message comes from: a file, standard input, or the command line.

mod compose;
mod observed;
mod piped;

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lmtp_blocking::proto::Escaped;
use lmtp_blocking::{Body, Fault, FaultKind, Handle, LineEndings, Phase};

use crate::args::{LineEndingsChoice, Send};
use crate::session::Session;
use crate::waiting::Progress;
use compose::Draft;
use observed::Observed;
use piped::Piped;

/// A message to be sent.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    source: Source<'a>,
    /// What the user calls it.
    name: String,
    /// Whether other line ends are to become CRLF.
    converts: bool,
}

#[derive(Debug)]
enum Source<'a> {
    Draft(Draft<'a>),
    /// What can be read twice: its size and kind are known before it is sent.
    File(File),
    Stream(Piped),
}

impl<'a> Message<'a> {
    /// The message that the command line asks for.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be opened.
    pub(crate) fn of(args: &'a Send, session: &'a Session<'a>) -> Result<Self, Fault> {
        let converts = matches!(args.line_endings, LineEndingsChoice::Convert);
        let (source, name) = match (&args.body, &args.file) {
            (Some(body), _) => {
                (Ok(Source::Draft(Draft { args, body, host: &session.lhlo_name })), "the message".to_owned())
            }
            (None, Some(path)) if path != Path::new("-") => {
                (open(path, session), Escaped(path.display().to_string().as_bytes()).to_string())
            }
            (None, None) if io::stdin().is_terminal() => return Err(no_message()),
            (None, _) => (standard_input(session), "standard input".to_owned()),
        };
        match source {
            Ok(source) => Ok(Self { source, name, converts }),
            Err(error) => Err(Fault::new(FaultKind::Body, Phase::Body, format!("cannot read {name}: {error}"))),
        }
    }

    /// The message as the client takes it. Its reader tells `progress` how far it
    /// has come.
    pub(crate) fn into_body(self, session: &Session<'_>, progress: &Arc<Progress>) -> Composed<'a> {
        let note = self.converts.then_some(self.name);
        Composed::Already(match self.source {
            Source::Draft(draft) => return Composed::For(draft),
            Source::File(file) => {
                let total = file.metadata().map_or(0, |metadata| metadata.len());
                progress.total.store(total, Ordering::Relaxed);
                Body::file(Observed::new(file, note, session, progress))
            }
            Source::Stream(piped) => Body::reader(Observed::new(piped.watched_by(progress), note, session, progress)),
        })
    }
}

/// A message whose octets are there, or one to be composed for a server.
#[derive(Debug)]
pub(crate) enum Composed<'a> {
    Already(Body<'static>),
    For(Draft<'a>),
}

impl Composed<'_> {
    /// Looks for what no server could be sent, before one is asked.
    ///
    /// # Errors
    ///
    /// The message holds such, or cannot be read.
    pub(crate) fn look_through(&mut self, endings: LineEndings) -> Result<(), Fault> {
        match self {
            Self::Already(body) => body.look_through(endings),
            Self::For(_) => Ok(()),
        }
    }

    /// The message for a server that takes SMTPUTF8 or does not.
    pub(crate) fn for_server(self, smtputf8: bool) -> Body<'static> {
        match self {
            Self::Already(body) => body,
            Self::For(draft) => draft.compose(smtputf8).into(),
        }
    }
}

fn open(path: &Path, session: &Session<'_>) -> io::Result<Source<'static>> {
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        return Ok(Source::File(File::open(path)?));
    }
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // To open a named pipe is to wait for its writer: that, too, is to be
    // interruptible.
    let path = path.to_owned();
    Piped::new(move || File::open(path), &session.handle).map(Source::Stream)
}

fn standard_input(session: &Session<'_>) -> io::Result<Source<'static>> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    if input.metadata()?.is_file() {
        return Ok(Source::File(input)); // as in `< message.eml`
    }
    Piped::new(|| Ok(input), &session.handle).map(Source::Stream)
}

fn no_message() -> Fault {
    let message = "there is no message to send: name a FILE, pipe one in, or give --subject and --body";
    Fault::new(FaultKind::Usage, Phase::Connect, message)
}

/// An error once the user has interrupted the program.
fn unless_stopped(handle: &Handle) -> io::Result<()> {
    if handle.is_cancelled() { Err(io::Error::other("stopped by a signal")) } else { Ok(()) }
}
