//! How a client is set up.

use std::fmt;

use lmtp_proto::auth::Mechanism;
use lmtp_proto::client::{Config, EightBit, Line, Pipelining};
use lmtp_proto::value::LhloName;
use lmtp_proto::{Endpoint, Fault, Limits, LineEndings, Timeouts};

use crate::connect::{adopt, dial};
use crate::{Client, Handle};

/// How a client is set up, and the way to make it.
pub struct Builder {
    pub(crate) endpoint: Endpoint,
    pub(crate) config: Config,
    pub(crate) mechanisms: Vec<Box<dyn Mechanism>>,
    pub(crate) handle: Handle,
    pub(crate) on_line: Option<OnLine>,
}

/// What is shown each line of the conversation.
pub(crate) type OnLine = Box<dyn FnMut(&Line) + Send>;

impl Builder {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, config: Config::default(), mechanisms: Vec::new(), handle: Handle::new(), on_line: None }
    }

    /// Everything that can be set at once. What is set afterwards changes it.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Who we say we are in LHLO; `localhost` if not told.
    #[must_use]
    pub fn lhlo_name(mut self, name: LhloName) -> Self {
        self.config.lhlo_name = name;
        self
    }

    /// How long to wait; RFC 5321 section 4.5.3.2 if not told.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.config.timeouts = timeouts;
        self
    }

    /// How much the server may ask of us.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Whether commands may leave ahead of replies; when offered, if not told.
    #[must_use]
    pub fn pipelining(mut self, pipelining: Pipelining) -> Self {
        self.config.pipelining = pipelining;
        self
    }

    /// What to do with line ends that are not CRLF; refuse, if not told.
    #[must_use]
    pub fn line_endings(mut self, endings: LineEndings) -> Self {
        self.config.line_endings = endings;
        self
    }

    /// What to do with 8-bit content that the server does not offer to take;
    /// refuse, if not told.
    #[must_use]
    pub fn eight_bit(mut self, eight_bit: EightBit) -> Self {
        self.config.eight_bit = eight_bit;
        self
    }

    /// How many messages [`Client::deliver_all`] may have under way at once; 2, if not
    /// told.
    #[must_use]
    pub fn depth(mut self, messages: usize) -> Self {
        self.config.depth = messages;
        self
    }

    /// Logs in by the first of these mechanisms that the server offers and that may be
    /// used on the line (RFC 4954); if that is not to be, the session does not open.
    #[must_use]
    pub fn authenticate(mut self, mechanisms: Vec<Box<dyn Mechanism>>) -> Self {
        self.mechanisms = mechanisms;
        self
    }

    /// Shows each line of the conversation to `hook`. The content is not in it.
    #[must_use]
    pub fn on_line(mut self, hook: impl FnMut(&Line) + Send + 'static) -> Self {
        self.config.transcript = true;
        self.on_line = Some(Box::new(hook));
        self
    }

    /// Lets another thread watch and cancel the client.
    #[must_use]
    pub fn handle(mut self, handle: &Handle) -> Self {
        self.handle = handle.clone();
        self
    }

    /// Connects, reads the greeting, says LHLO.
    ///
    /// # Errors
    ///
    /// The session did not open.
    pub fn connect(self) -> Result<Client, Fault> {
        let timeout = self.config.timeouts.connect;
        let socket = dial(&self.endpoint, timeout, self.handle.shared()).map_err(|fault| fault.at(&self.endpoint))?;
        Client::open(self, socket)
    }

    /// The same over a socket that the caller has connected. The endpoint is the name
    /// that it has in faults.
    ///
    /// # Errors
    ///
    /// The session did not open.
    #[cfg(unix)]
    pub fn over(self, socket: impl Into<std::os::fd::OwnedFd>) -> Result<Client, Fault> {
        let socket = adopt(socket.into().into(), self.handle.shared()).map_err(|fault| fault.at(&self.endpoint))?;
        Client::open(self, socket)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("endpoint", &self.endpoint)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
