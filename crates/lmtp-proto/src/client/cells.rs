//! Every state and every input of the [table](super::table): for whoever draws it, or counts its cells.

use alloc::vec::Vec;

use super::table::{Input, More, Next, State, Tone};
use crate::value::Verb;

impl State {
    /// Every state.
    pub const ALL: [Self; 24] = [
        Self::Greeting,
        Self::Lhlo,
        Self::Opening,
        Self::StartTls,
        Self::Tls,
        Self::Xclient,
        Self::Auth,
        Self::Courtesy,
        Self::Ready,
        Self::NeedsReset,
        Self::Resetting,
        Self::Clearing,
        Self::Sender,
        Self::Recipients { accepted: false },
        Self::Recipients { accepted: true },
        Self::Data,
        Self::Refused,
        Self::NoRecipients,
        Self::Content,
        Self::Chunks,
        Self::GivenUp,
        Self::Finals,
        Self::Quitting,
        Self::Over,
    ];
}

impl Input {
    /// Every input.
    pub fn all() -> Vec<Self> {
        let mut inputs = Vec::from([
            Self::Opened,
            Self::Encrypted,
            Self::Begin,
            Self::ContentEnds,
            Self::GiveUp,
            Self::Drained,
            Self::Quit,
        ]);
        inputs.extend(Verb::ALL.iter().copied().map(Self::Say));
        for tone in [Tone::Yes, Tone::GoOn, Tone::No] {
            inputs.push(Self::Greeting(tone));
            for &verb in Verb::ALL {
                inputs.push(Self::Reply(verb, tone));
            }
            for next in [Next::Rcpt, Next::Data, Next::Bdat] {
                inputs.push(Self::Recipient(tone, next));
            }
            for more in [More::Follow, More::Last] {
                inputs.push(Self::Chunk(tone, more));
                inputs.push(Self::Final(tone, more));
            }
        }
        inputs
    }
}
