//! A way to log in that says what it is told to say.

use std::collections::VecDeque;
use std::fmt;

use lmtp_proto::auth::{AuthError, Mechanism, Step};

/// A client's mechanism that says these things one after the other, whatever it
/// hears.
#[derive(Clone)]
pub struct Scripted {
    name: String,
    says: VecDeque<Vec<u8>>,
    listens: bool,
}

impl Scripted {
    /// A mechanism of this name; `listens` if the server speaks first. PLAIN and
    /// LOGIN reveal secrets.
    pub fn new(name: &str, listens: bool, says: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { name: name.into(), says: says.into_iter().collect(), listens }
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Mechanism for Scripted {
    fn name(&self) -> &str {
        &self.name
    }

    fn reveals_secret(&self) -> bool {
        matches!(self.name.as_str(), "PLAIN" | "LOGIN")
    }

    fn step(&mut self, heard: Option<&[u8]>) -> Result<Step, AuthError> {
        if heard.is_none() && self.listens {
            return Ok(Step::Listen);
        }
        self.says.pop_front().map(Step::Say).ok_or(AuthError::TooManySteps)
    }

    fn is_complete(&self) -> bool {
        self.says.is_empty()
    }
}
