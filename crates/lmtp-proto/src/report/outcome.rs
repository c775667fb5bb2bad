//! The answer for one recipient: the rule that everything else here serves.

use core::fmt;

use super::Phase;
use crate::value::{Reply, ReplyClass};

/// What became of the message for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Its own 2yz was read after the whole message had been handed over.
    Delivered,
    /// A 4yz stands for it: try again later.
    Temporary,
    /// A 5yz stands for it: trying again is of no use.
    Permanent,
    /// The end of the message may have left and no reply of its own came: it
    /// may have been delivered, and another try may deliver it twice.
    Uncertain,
    /// No reply of its own came and the message surely was not accepted:
    /// another try cannot deliver it twice.
    Unsent,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Temporary, Self::Permanent, Self::Uncertain, Self::Unsent];

    /// The name in JSON and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Temporary => "temporary",
            Self::Permanent => "permanent",
            Self::Uncertain => "uncertain",
            Self::Unsent => "unsent",
        }
    }

    /// Whether the sender still has this recipient to serve (RFC 2033
    /// section 4.2): anything but a delivery or a permanent refusal.
    pub const fn may_be_retried(self) -> bool {
        matches!(self, Self::Temporary | Self::Uncertain | Self::Unsent)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who gave an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The server said it.
    Peer,
    /// We refused before asking: the server does not offer what it takes.
    Local,
}

impl Origin {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Local => "local",
        }
    }
}

/// A reply, and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) origin: Origin,
    pub(crate) reply: Reply,
}

impl Answer {
    pub(crate) fn peer(reply: Reply) -> Self {
        Self { origin: Origin::Peer, reply }
    }

    pub(crate) fn local(reply: Reply) -> Self {
        Self { origin: Origin::Local, reply }
    }
}

/// All that was said about one recipient, and how far the message went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) mail: Option<&'a Answer>,
    pub(crate) rcpt: Option<&'a Answer>,
    pub(crate) data: Option<&'a Answer>,
    pub(crate) final_reply: Option<&'a Answer>,
    /// Whether the end of the data may have reached the server.
    pub(crate) end_may_have_left: bool,
    /// Where the session stands or stopped.
    pub(crate) reached: Phase,
}

/// The verdict on [`Facts`]: outcome, where it fell, and on what answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) phase: Phase,
    pub(crate) answer: Option<&'a Answer>,
}

/// The precedence of answers.
///
/// 1. MAIL refused: that is the answer for every recipient, whatever the
///    pipelined RCPTs got, for their 503s are only its consequence.
/// 2. Else the recipient's own refusal at RCPT stands.
/// 3. Else a refusal of DATA stands for those still accepted.
/// 4. Else its final reply.
/// 5. Else nothing was said: *uncertain* once the end may have left, *unsent*
///    before.
///
/// A reply of a class that cannot answer its command is never recorded here.
pub(crate) fn decide<'a>(facts: Facts<'a>) -> Verdict<'a> {
    let refused = |phase, answer: Option<&'a Answer>| {
        let answer = answer?;
        let outcome = match answer.reply.code().class() {
            ReplyClass::TransientNegative => Outcome::Temporary,
            ReplyClass::PermanentNegative => Outcome::Permanent,
            ReplyClass::PositiveCompletion | ReplyClass::PositiveIntermediate => return None,
        };
        Some(Verdict { outcome, phase, answer: Some(answer) })
    };
    let not_refused = match (facts.final_reply, facts.end_may_have_left) {
        (Some(answer), _) => Verdict { outcome: Outcome::Delivered, phase: Phase::Final, answer: Some(answer) },
        (None, true) => Verdict { outcome: Outcome::Uncertain, phase: Phase::Final, answer: None },
        (None, false) => Verdict { outcome: Outcome::Unsent, phase: facts.reached, answer: None },
    };
    refused(Phase::Mail, facts.mail)
        .or_else(|| refused(Phase::Rcpt, facts.rcpt))
        .or_else(|| refused(Phase::Data, facts.data))
        .or_else(|| refused(Phase::Final, facts.final_reply))
        .unwrap_or(not_refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Delivered, Permanent, Temporary, Uncertain, Unsent};

    fn answer(code: u16) -> Option<Answer> {
        (code > 0).then(|| Answer::peer(Reply::new(code, None, "text").unwrap()))
    }

    fn verdict(mail: u16, rcpt: u16, data: u16, last: u16, left: bool) -> (Outcome, Phase) {
        let [mail, rcpt, data, last] = [mail, rcpt, data, last].map(answer);
        let verdict = decide(Facts {
            mail: mail.as_ref(),
            rcpt: rcpt.as_ref(),
            data: data.as_ref(),
            final_reply: last.as_ref(),
            end_may_have_left: left,
            reached: Phase::Body,
        });
        (verdict.outcome, verdict.phase)
    }

    /// JSON and exit codes are made of these.
    #[test]
    fn names_and_what_may_be_tried_again() {
        let told = Outcome::ALL.map(|outcome| (outcome.name(), outcome.may_be_retried()));
        let expected =
            [("delivered", false), ("temporary", true), ("permanent", false), ("uncertain", true), ("unsent", true)];
        assert_eq!(told, expected);
        assert_eq!(alloc::format!("{Unsent:>10}|"), "    unsent|");
        assert_eq!([Origin::Peer, Origin::Local].map(Origin::name), ["peer", "local"]);
    }

    #[test]
    fn precedence_as_designed() {
        lmtp_testkit::proves!("R2033-4.2-j", "R2033-4.2-k");
        // (1) MAIL's refusal is the answer; the 503s behind it are consequences.
        assert_eq!(verdict(451, 503, 503, 0, false), (Temporary, Phase::Mail));
        assert_eq!(verdict(550, 250, 0, 0, false), (Permanent, Phase::Mail));
        // (2) its own refusal, whatever DATA got.
        assert_eq!(verdict(250, 550, 451, 0, false), (Permanent, Phase::Rcpt));
        assert_eq!(verdict(250, 450, 503, 0, false), (Temporary, Phase::Rcpt));
        // (3) DATA's refusal for those accepted.
        assert_eq!(verdict(250, 250, 451, 0, false), (Temporary, Phase::Data));
        assert_eq!(verdict(250, 251, 554, 0, false), (Permanent, Phase::Data));
        // (4) the final reply.
        assert_eq!(verdict(250, 250, 354, 250, true), (Delivered, Phase::Final));
        assert_eq!(verdict(250, 250, 354, 452, true), (Temporary, Phase::Final));
        assert_eq!(verdict(250, 250, 354, 552, true), (Permanent, Phase::Final));
        // (5) silence.
        assert_eq!(verdict(250, 250, 354, 0, true), (Uncertain, Phase::Final));
        assert_eq!(verdict(250, 250, 354, 0, false), (Unsent, Phase::Body));
        assert_eq!(verdict(250, 250, 0, 0, false), (Unsent, Phase::Body));
        assert_eq!(verdict(0, 0, 0, 0, false), (Unsent, Phase::Body));
    }

    #[test]
    fn delivered_needs_the_recipients_own_final_2yz() {
        lmtp_testkit::proves!("R2033-4.2-j");
        for mail in [0, 250, 451, 550] {
            for rcpt in [0, 250, 450, 550] {
                for data in [0, 354, 451, 554] {
                    for last in [0, 250, 451, 550] {
                        for left in [false, true] {
                            let (outcome, _) = verdict(mail, rcpt, data, last, left);
                            if outcome == Delivered {
                                assert_eq!(last, 250);
                                assert!(mail <= 250 && rcpt <= 250 && data <= 354);
                            }
                            if outcome == Unsent {
                                assert!(!left);
                            }
                        }
                    }
                }
            }
        }
    }
}
