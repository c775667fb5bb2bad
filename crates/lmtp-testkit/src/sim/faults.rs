//! What happens to the line, and when.

use std::time::Duration;

use lmtp_proto::server::table::State;
use lmtp_proto::{Instant, Phase};

use super::link::Link;
use super::random::Random;

/// What happens to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends, both ways, behind what is on its way.
    Close,
    /// It ends one way.
    HalfClose,
    /// It breaks: what is on its way is lost.
    Reset,
    /// Nothing passes any more, one way or both ways.
    Stall,
    /// Nothing passes for some time.
    Delay,
    /// What passes comes octet by octet.
    Recut,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] = [Self::Close, Self::HalfClose, Self::Reset, Self::Stall, Self::Delay, Self::Recut];

    /// Its name in a table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::HalfClose => "half close",
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::Delay => "delay",
            Self::Recut => "re-cut",
        }
    }
}

/// The phases of the client, in the order of a session.
pub(super) const PHASES: [Phase; 8] =
    [Phase::Greeting, Phase::Lhlo, Phase::Mail, Phase::Rcpt, Phase::Data, Phase::Body, Phase::Final, Phase::Quit];

/// The states of the server, in the order of a session; `Over` is what comes
/// behind QUIT.
pub(super) const STATES: [State; 8] = [
    State::Greeted,
    State::Ready,
    State::Sender,
    State::Recipients,
    State::Content,
    State::Chunks,
    State::Finals,
    State::Over,
];

/// The column of a state: before the greeting and behind it is one, and so are
/// chunks, good or broken.
pub(super) fn column(state: State) -> State {
    match state {
        State::Connected => State::Greeted,
        State::BrokenChunks => State::Chunks,
        state => state,
    }
}

/// Where both sides stand; nothing of one that is over and gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) client: Option<Phase>,
    pub(super) server: Option<State>,
}

/// A fault that waits for its moment.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    moment: Standing,
    /// Steps to wait from that moment on.
    steps: u64,
    /// Which ways: to the server, to the client.
    ways: (bool, bool),
    time: Duration,
    pub(super) is_done: bool,
}

impl Planned {
    pub(super) fn new(random: &mut Random<'_>) -> Self {
        let moment = match random.percent(50) {
            true => Standing { client: Some(random.pick(&PHASES)), server: None },
            false => Standing { client: None, server: Some(random.pick(&STATES)) },
        };
        Self {
            fault: random.pick(&Fault::ALL),
            moment,
            steps: random.pick(&[0, 0, 1, 3, 10]),
            ways: random.pick(&[(true, true), (true, false), (false, true)]),
            time: Duration::from_secs(random.pick(&[1, 5, 18, 40, 100, 200, 400, 700])),
            is_done: false,
        }
    }

    /// Whether it needs a message that comes in chunks.
    pub(super) fn waits_for_chunks(&self) -> bool {
        self.moment.server == Some(State::Chunks)
    }

    /// Whether its moment has come.
    pub(super) fn is_due(&mut self, now: Standing) -> bool {
        let here = match self.moment {
            Standing { client: Some(phase), .. } => now.client == Some(phase),
            Standing { server, .. } => now.server.map(column) == server,
        };
        if self.is_done || !here {
            return false;
        }
        self.is_done = self.steps == 0;
        self.steps = self.steps.saturating_sub(1);
        self.is_done
    }

    /// Lets it happen.
    pub(super) fn strike(&self, link: &mut Link, now: Instant) {
        let (to_server, to_client) = match self.fault {
            Fault::Close | Fault::Reset | Fault::Recut => (true, true),
            Fault::HalfClose if self.ways == (true, true) => (true, false),
            _ => self.ways,
        };
        for (struck, pipe) in [(to_server, &mut link.to_server), (to_client, &mut link.to_client)] {
            match self.fault {
                _ if !struck => {}
                Fault::Close | Fault::HalfClose => pipe.ended = true,
                Fault::Reset => pipe.destroy(),
                Fault::Stall => pipe.stalled = true,
                Fault::Delay => pipe.delay(self.time, now),
                Fault::Recut => pipe.cut_again(),
            }
        }
    }

    /// How much later the session may end for it.
    pub(super) fn time(&self) -> Duration {
        self.time
    }
}
