//! A server in a thread, and a client by hand.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lmtp_blocking::{
    Ending, ForwardPath, MailParams, Message, Peer, RcptParams, Reply, ReversePath, Server, ServerConfig as Config,
    Session, Shutdown, Verdicts,
};

/// What a handler does with a message.
pub(crate) type Deliver = Arc<dyn Fn(Message, Verdicts) + Send + Sync>;

/// Takes everybody but `nobody@`, and does with messages as it is told.
#[derive(Clone)]
pub(crate) struct Told {
    deliver: Deliver,
    /// How messages ended.
    endings: Sender<Ending>,
}

impl Session for Told {
    fn mail(&mut self, from: &ReversePath, _: &MailParams) -> Result<(), Reply> {
        match from.to_string().as_str() {
            "panic@x" => panic!("told to"),
            "sleep@x" => thread::sleep(Duration::from_secs(2)),
            _ => {}
        }
        Ok(())
    }

    fn rcpt(&mut self, to: &ForwardPath, _: &RcptParams) -> Result<(), Reply> {
        if to.to_string().starts_with("nobody@") {
            return Err(Reply::no_such_user());
        }
        Ok(())
    }

    fn deliver(&mut self, message: Message, verdicts: Verdicts) {
        (self.deliver)(message, verdicts);
    }

    fn over(&mut self, ending: &Ending) {
        let _ = self.endings.send(ending.clone());
    }
}

/// A server in a thread, and where it listens.
pub(crate) struct Running {
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
    pub(crate) shutdown: Shutdown,
    endings: Receiver<Ending>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Running {
    pub(crate) fn new(deliver: impl Fn(Message, Verdicts) + Send + Sync + 'static) -> Self {
        Self::with(Config::default(), |server| server, deliver)
    }

    /// With little patience for handlers.
    pub(crate) fn hasty(deliver: impl Fn(Message, Verdicts) + Send + Sync + 'static) -> Self {
        let mut config = Config::default();
        config.timeouts.handler = Duration::from_millis(300);
        config.timeouts.verdict = Duration::from_millis(300);
        Self::with(config, |server| server, deliver)
    }

    pub(crate) fn with<F>(config: Config, set: F, deliver: impl Fn(Message, Verdicts) + Send + Sync + 'static) -> Self
    where
        F: FnOnce(Server<Box<dyn Fn(&Peer) -> Told + Send + Sync>>) -> Server<Box<dyn Fn(&Peer) -> Told + Send + Sync>>,
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp.sock");
        let (sender, endings) = channel();
        let told = Mutex::new(Told { deliver: Arc::new(deliver), endings: sender });
        let handler: Box<dyn Fn(&Peer) -> Told + Send + Sync> = Box::new(move |_| told.lock().unwrap().clone());
        let server = set(Server::new(handler).config(config));
        let shutdown = server.handle();
        let place = format!("unix:{}", path.display());
        let (ready, listening) = channel();
        let thread = thread::spawn(move || {
            let listener = lmtp_blocking::Listen::listen(place.as_str());
            ready.send(()).unwrap();
            server.serve(listener?.remove(0))
        });
        listening.recv().unwrap();
        Self { path, _folder: folder, shutdown, endings, thread: Some(thread) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    pub(crate) fn talk(&self) -> Talk {
        Talk::on(UnixStream::connect(&self.path).unwrap())
    }

    pub(crate) fn ending(&self) -> Ending {
        self.endings.recv_timeout(Duration::from_secs(5)).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.shut_down();
        let result = self.thread.take().unwrap().join();
        if !thread::panicking() {
            result.unwrap().unwrap();
        }
    }
}

/// A client by hand, past the greeting.
pub(crate) struct Talk {
    pub(crate) stream: UnixStream,
    pub(crate) heard: String,
}

impl Talk {
    pub(crate) fn on(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut talk = Self { stream, heard: String::new() };
        talk.hear("\r\n");
        talk
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until what was heard since the last time ends so; gives it.
    pub(crate) fn hear(&mut self, end: &str) -> String {
        while !self.heard.ends_with(end) {
            let mut room = [0; 1024];
            match self.stream.read(&mut room) {
                Ok(0) => panic!("the end of the stream behind {:?}", self.heard),
                Ok(count) => self.heard.push_str(std::str::from_utf8(&room[..count]).unwrap()),
                Err(error) => panic!("{error} behind {:?}", self.heard),
            }
        }
        std::mem::take(&mut self.heard)
    }

    pub(crate) fn rest(mut self) -> String {
        match self.stream.read_to_string(&mut self.heard) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        self.heard
    }

    /// LHLO, MAIL, a RCPT for each of these, DATA; up to the 354.
    pub(crate) fn up_to_data(&mut self, to: &[&str]) {
        self.say("LHLO c\r\n");
        self.hear("RCPTMAX=1000\r\n");
        self.open(to);
    }

    fn open(&mut self, to: &[&str]) {
        self.say("MAIL FROM:<ann@x>\r\n");
        for to in to {
            self.say(&format!("RCPT TO:<{to}>\r\n"));
        }
        self.say("DATA\r\n");
        while !self.heard.contains("354 ") {
            let heard = self.hear("\r\n");
            self.heard = heard;
            if !self.heard.contains("354 ") {
                let mut room = [0; 1024];
                let count = self.stream.read(&mut room).unwrap();
                assert!(count > 0, "{}", self.heard);
                self.heard.push_str(std::str::from_utf8(&room[..count]).unwrap());
            }
        }
        self.heard.clear();
    }
}

pub(crate) fn codes(heard: &str) -> Vec<&str> {
    heard.lines().map(|line| line.split(' ').next().unwrap()).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is what a handler does")]
pub(crate) fn store(mut message: Message, verdicts: Verdicts) {
    if message.body.read_all().is_ok() {
        verdicts.give_rest(&Reply::stored());
    }
}
