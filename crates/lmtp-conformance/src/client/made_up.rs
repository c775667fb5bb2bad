//! Checks that are made up: servers that answer at random, and what a client has to report of them.

use super::check::Check;
use super::script;

/// Checks of a seed: the same seed makes the same ones.
pub fn made_up(seed: u64, count: u32) -> Vec<Check> {
    (0..count).map(|number| script::check(&one(seed, number))).collect()
}

/// The text of one.
fn one(seed: u64, number: u32) -> String {
    let mut dice = Dice(seed ^ u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let count = 1 + dice.roll(8);
    let mut lines = vec![
        format!("made-up/{seed}-{number} MUST 2033:4.2 R2033-4.2-i,R2033-4.2-j,R2033-5-j"),
        "Whatever a server answers, each recipient is told of by its own reply.".to_owned(),
        format!("to {count}"),
        format!("offers: {}", if dice.roll(2) == 0 { "" } else { "PIPELINING, 8BITMIME" }),
    ];
    if dice.roll(4) == 0 {
        lines.push("split".to_owned());
    }
    // Where the connection ends, if it does: behind that many of the final replies.
    let cut = if dice.roll(3) == 0 { dice.roll(count) } else { count };
    let (mut fates, mut finals) = (Vec::new(), 0);
    for recipient in 1..=count {
        let (code, fate) = dice.reply();
        // Some has to be accepted, or there is nothing to answer.
        if fate != "delivered" && recipient > 1 && dice.roll(2) == 0 {
            lines.push(dice.said(&format!("rcpt {recipient}"), code));
            fates.push(fate);
            continue;
        }
        if finals == cut {
            lines.push(format!("at final {recipient}: (cut)"));
        }
        if finals >= cut {
            fates.push("uncertain");
        } else {
            lines.push(dice.said(&format!("final {recipient}"), code));
            fates.push(fate);
        }
        finals += 1;
    }
    lines.push(format!("= {}", fates.join(" ")));
    lines.join("\n")
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap_or(0)
    }

    fn reply(&mut self) -> (u16, &'static str) {
        [
            (250, "delivered"),
            (250, "delivered"),
            (251, "delivered"),
            (299, "delivered"),
            (450, "temporary"),
            (452, "temporary"),
            (499, "temporary"),
            (550, "permanent"),
            (554, "permanent"),
            (599, "permanent"),
        ][self.roll(10)]
    }

    /// A reply at an event, in one line or more, with a text that says anything.
    fn said(&mut self, event: &str, code: u16) -> String {
        let mut lines = Vec::new();
        for _ in 0..[0, 0, 0, 1, 4][self.roll(5)] {
            lines.push(format!("at {event}: {code}-{}", self.text()));
        }
        lines.push(match self.roll(8) {
            0 => format!("at {event}: {code}"),
            _ => format!("at {event}: {code} {}", self.text()),
        });
        lines.join("\n")
    }

    fn text(&mut self) -> &'static str {
        ["2.0.0 Saved", "5.1.1 No such user", "<r1@example.org> Saved", "4.2.2 550 Full", "Ok", "354 Go"][self.roll(6)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_the_same_checks_and_another_is_not() {
        let texts = |seed| (0..50).map(|number| one(seed, number)).collect::<Vec<_>>();
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
        assert_eq!(made_up(1, 500).len(), 500);
        assert!(texts(1).iter().any(|text| text.contains("(cut)")), "some connections end");
        assert!(texts(1).iter().any(|text| text.contains("rcpt")), "some recipients are refused");
    }
}
