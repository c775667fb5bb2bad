//! What must become of each recipient, read from an honest server's log in the
//! plainest words.

use lmtp_proto::Outcome;

use crate::evil::Seen;

/// What must have become of each recipient, by the log of an honest server, in
/// the plainest words. `None`: *uncertain* if the server saw the end of the
/// message, else *unsent*.
pub fn expected_outcomes(log: &[(String, Option<u16>)], recipients: usize) -> Vec<Option<Outcome>> {
    follow(log, recipients).0
}

/// The same for several messages in a row, each with what a server saw of it: no
/// answer counts behind one that is none.
pub fn expected_of_each(seen: &[Seen], messages: usize, recipients: usize) -> Vec<Vec<Outcome>> {
    let mut understood = true;
    let mut seen = seen.iter();
    let outcomes = (0..messages).map(|_| {
        let Some(seen) = seen.next().filter(|_| understood) else { return vec![Outcome::Unsent; recipients] };
        let (outcomes, goes_on) = follow(&seen.log, recipients);
        understood = goes_on;
        let silent = if seen.ended { Outcome::Uncertain } else { Outcome::Unsent };
        outcomes.into_iter().map(|outcome| outcome.unwrap_or(silent)).collect()
    });
    outcomes.collect()
}

/// Outcomes, and whether every reply could be the answer to its command.
fn follow(log: &[(String, Option<u16>)], recipients: usize) -> (Vec<Option<Outcome>>, bool) {
    let mut outcomes = vec![None; recipients];
    let mut accepted = Vec::new();
    let mut next_rcpt = 0;
    let (mut mail_refused, mut chunk_refused) = (false, false);
    for (to, code) in log {
        // What comes behind a refused chunk is not looked at.
        let Some(code) = code.filter(|_| !chunk_refused || to == "RSET") else { return (outcomes, false) };
        let refusal = match code / 100 {
            4 => Some(Outcome::Temporary),
            5 => Some(Outcome::Permanent),
            _ => None,
        };
        match (to.as_str(), code / 100, refusal) {
            ("greeting" | "LHLO", 2, _) => {}
            ("MAIL", 2, _) => {}
            ("MAIL", _, Some(refusal)) => {
                mail_refused = true;
                outcomes.fill(Some(refusal));
            }
            ("RCPT", class, refusal) if class == 2 || refusal.is_some() => {
                if !mail_refused {
                    outcomes[next_rcpt] = refusal;
                }
                if class == 2 {
                    accepted.push(next_rcpt);
                }
                next_rcpt += 1;
            }
            ("DATA", 3, _) | ("chunk", 2, _) => {}
            ("DATA", _, Some(refusal)) => {
                if !mail_refused {
                    for &place in &accepted {
                        outcomes[place] = Some(refusal);
                    }
                }
            }
            ("chunk", _, Some(refusal)) => {
                chunk_refused = true;
                for &place in &accepted {
                    outcomes[place] = Some(refusal);
                }
            }
            (last, class, refusal) if last.starts_with("final") && (class == 2 || refusal.is_some()) => {
                let place = accepted[last["final ".len()..].parse::<usize>().expect("a number")];
                outcomes[place] = Some(refusal.unwrap_or(Outcome::Delivered));
            }
            ("RSET", 2, _) | ("QUIT", ..) => {}
            _ => return (outcomes, false), // nothing that follows a wrong answer counts
        }
    }
    (outcomes, true)
}
