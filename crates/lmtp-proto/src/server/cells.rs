//! Every state and every input of the [table](super::table): for whoever draws it, or counts its cells.

use alloc::vec::Vec;

use super::table::{Answer, Input, State};
use crate::value::Verb;

impl State {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Connected,
        Self::TurnedAway,
        Self::Greeted,
        Self::Ready,
        Self::Sender,
        Self::Recipients,
        Self::Content,
        Self::Chunks,
        Self::BrokenChunks,
        Self::Finals,
        Self::Authenticating,
        Self::Securing,
        Self::Over,
    ];
}

impl Input {
    /// Every input.
    pub fn all() -> Vec<Self> {
        let mut inputs = Vec::from([Self::Challenge, Self::LastChunk, Self::EndOfData, Self::Answered, Self::Secured]);
        for answer in [Answer::Yes, Answer::No] {
            inputs.extend([Self::Greeting(answer), Self::Chunk(answer)]);
            inputs.extend(Verb::ALL.iter().map(|&verb| Self::Answer(verb, answer)));
        }
        inputs.extend(Verb::ALL.iter().copied().map(Self::Command));
        inputs
    }
}
