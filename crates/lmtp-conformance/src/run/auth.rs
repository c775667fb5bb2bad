//! What AUTH needs of a play: challenges, and passwords that are shown to nobody.

use super::{Outcome, Play, Verdict, matches};
use crate::login::is_base64;

impl Play<'_> {
    /// A 334 with base64 behind its blank, and nothing else (RFC 4954 section 4).
    pub(super) fn challenge(&mut self) -> Result<(), Outcome> {
        let reply = self.next("334")?;
        if reply.code != 334 {
            return Err(Outcome::Failed(format!("{} where 334 was due", reply.code)));
        }
        let failed = |why: &str| Err(Outcome::Failed(why.to_owned()));
        match &reply.lines[..] {
            [_] if reply.is_bare => failed("a challenge without the blank behind its code"),
            [text] if is_base64(text) => Ok(()),
            _ => failed("a challenge that is not base64"),
        }
    }

    pub(super) fn unless(&self, pattern: &str) -> Result<(), Outcome> {
        if pattern.split('|').any(|one| matches(one, self.last)) {
            return Err(Outcome::NotApplicable(format!("the server says {} before it comes to that", self.last)));
        }
        Ok(())
    }

    /// A line as it can be shown.
    pub(super) fn shown(&self, line: &[u8]) -> String {
        match self.login {
            Some(login) => super::shown(&login.hide(line)),
            None => super::shown(line),
        }
    }

    /// What became of it, without the password, which a server might say again.
    pub(super) fn verdict(self, outcome: Outcome) -> Verdict {
        let Some(login) = self.login else { return Verdict { outcome, transcript: self.transcript } };
        let outcome = match outcome {
            Outcome::Failed(why) => Outcome::Failed(login.hide_text(&why)),
            other => other,
        };
        Verdict { outcome, transcript: self.transcript.iter().map(|line| login.hide_text(line)).collect() }
    }
}
