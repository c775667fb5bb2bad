//! The client's table, and where its states stand.

use anyhow::Result;
use lmtp_proto::client::table::{Action, Input, State, step};

use super::edges::{self, Table, edges};
use super::layout::Words::{From, To};
use super::layout::{Band, Layout, Side, route, state};
use super::svg::{self, Content};

pub(super) fn draw() -> Result<String> {
    let edges = edges(&Table { states: &State::ALL, inputs: &Input::all(), step, is_drawn });
    svg::draw(&LAYOUT, &Content { edges: &edges, words: &WORDS, note: NOTE, busy: &[] })
}

/// What is not drawn is a violation, or as the rule says.
fn is_drawn(state: State, input: Input) -> bool {
    step(state, input).1 != Action::Violation && !is_given_up_early(state, input)
}

/// The rule of the note.
fn is_given_up_early(state: State, input: Input) -> bool {
    input == Input::GiveUp && state != State::Chunks && step(state, input) == (State::GivenUp, Action::Wait)
}

const NOTE: &str = "\
Before the arrow: what happens; a verb is the reply
to that command. Behind it: what the client does;
a verb is the command that it sends.
2/4/5yz: any reply but 3yz (RFC 5321 section 4.2.1).
A dot: the session is over.
From RSET to DATA a message may be given up: GivenUp.
What has no way from a state is a violation, and over.";

const WORDS: edges::Words = edges::Words {
    tones: &[("Yes", "2"), ("GoOn", "3"), ("No", "4/5")],
    unit: "yz",
    any_tone: "any reply",
    silent: "Wait",
};

const LAYOUT: Layout = Layout {
    title: "The client",
    size: (1190, 1440),
    note: (24, 36),
    bands: &[
        Band { title: "Opening", at: (16, 160), size: (1158, 336) },
        Band { title: "Transactions", at: (16, 508), size: (1158, 916) },
    ],
    places: &[
        // Opening.
        state("Greeting", 620, 60),
        state("Lhlo", 620, 190),
        state("Opening", 620, 350).size(150, 210),
        state("Tls", 270, 190),
        state("StartTls", 270, 350),
        state("Xclient", 925, 265).out(Side::Below),
        state("Auth", 925, 350).out(Side::Below),
        state("Courtesy", 925, 435),
        // Between transactions.
        state("Ready", 620, 560),
        state("Quitting", 100, 560).out(Side::Below),
        state("NeedsReset", 100, 670),
        state("Clearing", 372, 606),
        state("Resetting", 350, 670),
        // The envelope.
        state("Sender", 620, 670),
        state("Refused", 335, 760).back(Side::Below).out(Side::Below),
        state("Recipients", 620, 830).size(150, 60),
        state("NoRecipients", 335, 920).back(Side::Below).out(Side::Below),
        state("Recipients, accepted", 720, 940).size(160, 60).back(Side::Below),
        // DATA, and BDAT beside it.
        state("Data", 540, 1078),
        state("Content", 540, 1170),
        state("Chunks", 930, 1070).size(200, 60).out(Side::Left),
        state("GivenUp", 1060, 1180).back(Side::Below).out(Side::Left),
        state("Finals", 700, 1290).size(220, 50).back(Side::Below).out(Side::Below),
    ],
    routes: &[
        route("Greeting", "Lhlo", &[], From(626, 130)),
        route("Lhlo", "Opening", &[(600, 220)], To(594, 230)),
        route("Opening", "Lhlo", &[(640, 220)], From(646, 230)),
        route("Opening", "StartTls", &[(400, 342)], From(400, 336)),
        route("StartTls", "Opening", &[(400, 358)], From(360, 374)),
        route("StartTls", "Tls", &[], From(276, 274)),
        route("Tls", "Lhlo", &[], From(390, 184)),
        route("Opening", "Xclient", &[(780, 257)], From(702, 251)),
        route("Xclient", "Opening", &[(780, 273)], From(702, 289)),
        route("Opening", "Auth", &[(780, 342)], From(702, 336)),
        route("Auth", "Opening", &[(780, 358)], From(702, 374)),
        route("Opening", "Courtesy", &[(780, 427)], From(702, 421)),
        route("Courtesy", "Opening", &[(780, 443)], From(702, 476)),
        route("Opening", "Ready", &[], To(614, 500)),
        route("Ready", "Quitting", &[], From(300, 554)),
        route("NeedsReset", "Quitting", &[], To(94, 632)),
        route("Ready", "Clearing", &[(570, 598)], From(453, 592)),
        route("Clearing", "Ready", &[(590, 614)], From(453, 629)),
        route("NeedsReset", "Clearing", &[(150, 630), (270, 630), (270, 606)], From(156, 644)),
        route("NeedsReset", "Resetting", &[], From(182, 664)),
        route("Ready", "Sender", &[], From(626, 620)),
        route("Resetting", "Sender", &[], From(430, 664)),
        route("Sender", "Refused", &[(575, 754)], From(440, 748)),
        route("Sender", "Recipients", &[], From(626, 740)),
        route("Refused", "NeedsReset", &[(150, 754)], From(160, 748)),
        route("Recipients", "NoRecipients", &[(335, 850)], From(345, 830)),
        route("NoRecipients", "NeedsReset", &[(125, 920)], From(160, 914)),
        route("Recipients", "Recipients, accepted", &[(680, 880)], From(686, 890)),
        route("Recipients", "Data", &[(555, 920)], To(549, 1010)),
        route("Recipients", "Chunks", &[(1005, 810)], From(1011, 920)),
        route("Recipients, accepted", "Data", &[(590, 940)], From(596, 1042)),
        route("Recipients, accepted", "Chunks", &[(845, 940)], From(851, 1005)),
        route("Data", "Content", &[], From(546, 1124)),
        route("Data", "NeedsReset", &[(100, 1070)], From(200, 1064)),
        route("Content", "Finals", &[(540, 1290)], From(546, 1230)),
        route("Chunks", "Finals", &[(855, 1282)], To(849, 1160)),
        route("Chunks", "GivenUp", &[(1060, 1090)], From(1066, 1120)),
        route("Chunks", "NeedsReset", &[(880, 1382), (75, 1382)], To(874, 1398)),
        route("GivenUp", "NeedsReset", &[(1115, 1402), (50, 1402)], To(1109, 1385)),
        route("Finals", "Ready", &[(1160, 1302), (1160, 560)], To(1154, 720)),
    ],
    end: "Over",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagrams::edges::name;

    /// Nothing that can happen is missing.
    #[test]
    fn every_cell_is_drawn_or_a_violation() {
        let inputs = Input::all();
        let edges = edges(&Table { states: &State::ALL, inputs: &inputs, step, is_drawn });
        let mut drawn = 0;
        for state in State::ALL {
            for &input in &inputs {
                let (next, action) = step(state, input);
                let cell = (format!("{input:?}"), format!("{action:?}"));
                let edge = edges.iter().find(|edge| (&edge.from, &edge.to) == (&name(&state), &name(&next)));
                let is_there = edge.is_some_and(|edge| edge.cells.contains(&cell));
                let is_told = matches!(
                    (state, input),
                    (State::Resetting | State::Sender | State::Recipients { .. } | State::Data, Input::GiveUp)
                );
                assert_eq!(is_there, action != Action::Violation && !is_told, "{cell:?} in {state:?}");
                assert_eq!(is_told, is_given_up_early(state, input), "{cell:?} in {state:?}");
                drawn += usize::from(is_there);
            }
        }
        assert_eq!(drawn, edges.iter().map(|edge| edge.cells.len()).sum::<usize>());
    }
}
