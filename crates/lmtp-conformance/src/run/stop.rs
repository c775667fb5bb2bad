//! A server that is told to stop.

use super::{Outcome, Play};

impl Play<'_> {
    pub(super) fn stop(&mut self) -> Result<(), Outcome> {
        self.conversation.stop().map_err(Outcome::NotRun)?;
        self.transcript.push("(the server is told to stop)".to_owned());
        Ok(())
    }

    /// Whether there was a reply; else the server has closed the connection.
    pub(super) fn reply_or_end(&mut self, pattern: &str) -> Result<bool, Outcome> {
        if self.reader.is_at_end(self.conversation) {
            self.transcript.push("S: (closes)".to_owned());
            return Ok(false);
        }
        self.reply(pattern)?;
        Ok(true)
    }
}
