//! What is held against the words of an offer.

use super::{Outcome, Play};

impl Play<'_> {
    /// The extension was offered, without a parameter.
    pub(super) fn offers_alone(&self, keyword: &str) -> Result<(), Outcome> {
        match self.offers.iter().find(|line| has_keyword(line, keyword)) {
            Some(line) if line.len() == keyword.len() => Ok(()),
            Some(line) => Err(Outcome::Failed(format!("{keyword} is offered as {line}"))),
            None => Err(Outcome::Failed(format!("{keyword} is not offered"))),
        }
    }

    /// Announces a message of the size that the server offers, and one that is larger (RFC 1870 section 6.1).
    pub(super) fn beyond_size(&mut self) -> Result<(), Outcome> {
        let line = self.offers.iter().find(|line| has_keyword(line, "SIZE"));
        let told = line.and_then(|line| line.split(' ').nth(1)).and_then(|size| size.parse::<u64>().ok());
        let Some(most) = told.filter(|most| (1..u64::MAX).contains(most)) else {
            return Err(Outcome::NotApplicable("the server tells no greatest SIZE".to_owned()));
        };
        // Room for it may be lacking now.
        for (size, pattern) in [(most, "250|452"), (most + 1, "552")] {
            self.say(format!("MAIL FROM:<sender@conformance.example> SIZE={size}"));
            self.reply(pattern)?;
            self.say("RSET".to_owned());
            self.reply("250")?;
        }
        Ok(())
    }

    fn say(&mut self, line: String) {
        self.flush(&mut (line + "\r\n").into_bytes());
    }
}

/// Whether a line offers this, with the words that are behind it here.
pub(super) fn has_keyword(line: &str, offer: &str) -> bool {
    let (mut offered, mut wanted) = (line.split(' '), offer.split(' '));
    let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    is(offered.next().unwrap_or_default(), wanted.next().unwrap_or_default())
        && wanted.all(|word| offered.clone().any(|one| is(one, word)))
}
