//! The connection, as `send` and `probe` both set it up.

use std::sync::{Arc, OnceLock};

use lmtp_blocking::proto::client::StartTls;
use lmtp_blocking::proto::value::LhloName;
use lmtp_blocking::{Builder, Client, Config, Endpoint, Fault, FaultKind, Handle, Line, Reply, Timeouts};

use crate::args::{Dial, Security};
use crate::console::Console;
use crate::{hint, security, signals};

/// A connection to be made, what is heard on it, and the way to stop it.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) handle: Handle,
    pub(crate) console: Arc<Console>,
    pub(crate) lhlo_name: LhloName,
    timeouts: Timeouts,
    transcript: bool,
    security: &'a Security,
    starttls: StartTls,
    /// The first reply: kept also when the session does not open.
    greeting: Arc<OnceLock<Reply>>,
}

impl<'a> Session<'a> {
    /// A session to be opened; from here on a signal cancels it.
    pub(crate) fn new(dial: &'a Dial, default: Timeouts) -> Self {
        let handle = Handle::new();
        signals::cancel(&handle);
        Self {
            endpoint: dial.endpoint.clone(),
            handle,
            console: Arc::new(Console::new()),
            lhlo_name: dial.lhlo_name.clone().unwrap_or_else(this_host),
            timeouts: dial.timeout.map_or(default, Timeouts::all),
            transcript: dial.transcript,
            security: &dial.security,
            starttls: StartTls::Off,
            greeting: Arc::default(),
        }
    }

    /// The same session, which goes no further without STARTTLS.
    #[must_use]
    pub(crate) fn with_starttls(mut self, is_required: bool) -> Self {
        if is_required {
            self.starttls = StartTls::Required;
        }
        self
    }

    /// A client set up as the command line says, or what cannot be as it says.
    pub(crate) fn builder(&self) -> Result<Builder, Fault> {
        let mut config = Config::default();
        config.starttls = self.starttls;
        config.auth_in_clear = security::may_reveal(self.security, &self.endpoint);
        let tls = security::tls(self.security, &self.endpoint, self.starttls)?;
        let mechanisms = security::mechanisms(self.security)?;
        let (console, greeting, transcript) = (Arc::clone(&self.console), Arc::clone(&self.greeting), self.transcript);
        let mut builder = Client::builder(self.endpoint.clone()).expect("an endpoint is an endpoint").config(config);
        if let Some(tls) = tls {
            builder = builder.tls(tls);
        }
        Ok(builder
            .authenticate(mechanisms)
            .lhlo_name(self.lhlo_name.clone())
            .timeouts(self.timeouts)
            .handle(&self.handle)
            .on_line(move |line| {
                if let Line::Reply(reply) = line {
                    greeting.get_or_init(|| reply.clone());
                }
                if transcript {
                    console.say(&stamped(line, console.elapsed().as_secs_f64()));
                }
            }))
    }

    /// The server's greeting, if there was one.
    pub(crate) fn greeting(&self) -> Option<&Reply> {
        self.greeting.get()
    }

    /// The fault as the user sees it: after a signal nothing else went wrong.
    pub(crate) fn explain(&self, fault: Fault) -> Fault {
        if self.handle.is_cancelled() {
            Fault::new(FaultKind::Closed, fault.phase(), "stopped by a signal").at(&self.endpoint)
        } else {
            fault
        }
    }

    /// Prints a fault on standard error, and what may help.
    pub(crate) fn tell(&self, fault: &Fault) {
        self.console.error(fault.message());
        if let Some(hint) = hint::for_fault(&self.endpoint, fault, self.greeting()) {
            self.console.hint(&hint);
        }
    }
}

/// The lines of one command or reply, each behind the time.
fn stamped(line: &Line, seconds: f64) -> String {
    let text = line.to_string();
    let stamped: Vec<_> = text.lines().map(|line| format!("{seconds:7.3} {line}")).collect();
    stamped.join("\n")
}

/// The name of this host, as far as it can be said in LHLO.
fn this_host() -> LhloName {
    gethostname::gethostname().to_str().and_then(|name| name.parse().ok()).unwrap_or_default()
}
