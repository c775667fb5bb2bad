//! The server's table, what goes for every state of it, and where its states stand.

use anyhow::Result;
use lmtp_proto::server::table::{Action, Answer, Input, State, step};
use lmtp_proto::value::Verb;

use super::edges::{self, Table, edges, name};
use super::layout::Words::{From, To};
use super::layout::{Band, Layout, Side, route, state};
use super::svg::{self, Content};

pub(super) fn draw() -> Result<String> {
    let edges = edges(&Table { states: &State::ALL, inputs: &Input::all(), step, is_drawn });
    let busy: Vec<String> = State::ALL.iter().filter(|&&state| !reads_commands(state)).map(name).collect();
    let rules: Vec<&str> = RULES.iter().map(|rule| rule.words).collect();
    let note = format!("{NOTE}\n{}", rules.join("\n"));
    svg::draw(&LAYOUT, &Content { edges: &edges, words: &WORDS, note: &note, busy: &busy })
}

/// What is not drawn is impossible, or as the first rule says that speaks of it.
fn is_drawn(state: State, input: Input) -> bool {
    let cell = step(state, input);
    let rule = RULES.iter().find(|rule| (rule.speaks_of)(state, input));
    cell.1 != Action::Impossible && rule.is_none_or(|rule| (rule.says)(state, input) != cell)
}

fn reads_commands(state: State) -> bool {
    step(state, Input::Command(Verb::Quit)).1 != Action::Impossible
}

/// What goes for many states, and is written into the note instead of drawn.
struct Rule {
    words: &'static str,
    speaks_of: fn(State, Input) -> bool,
    says: fn(State, Input) -> (State, Action),
}

/// In the order of the note: the first that speaks of a cell is the one that goes.
const RULES: [Rule; 9] = [
    Rule {
        words: "\u{2022} QUIT: 221, and the session is over.",
        speaks_of: |_, input| input == Input::Command(Verb::Quit),
        says: |_, _| (State::Over, Action::Leave),
    },
    Rule {
        words: "\u{2022} BDAT outside of a transaction: drop chunk.",
        speaks_of: |state, input| {
            matches!(state, State::TurnedAway | State::Greeted | State::Ready) && input == Input::Command(Verb::Bdat)
        },
        says: |state, _| (state, Action::DropChunk),
    },
    Rule {
        words: "\u{2022} TurnedAway: 503 to every other command.",
        speaks_of: |state, input| state == State::TurnedAway && matches!(input, Input::Command(_)),
        says: |state, _| (state, Action::NotNow),
    },
    Rule {
        words: "\u{2022} A command before its answer: the application is asked.",
        speaks_of: |state, input| match input {
            Input::Command(verb) => step(state, Input::Answer(verb, Answer::Yes)).1 != Action::Impossible,
            _ => false,
        },
        says: |state, _| (state, Action::Ask),
    },
    Rule {
        words: "\u{2022} A command refused: nothing changes.",
        speaks_of: |_, input| matches!(input, Input::Answer(_, Answer::No)),
        says: |state, _| (state, Action::Reply),
    },
    Rule {
        words: "\u{2022} LHLO accepted once more: reply and reset, on to Ready.",
        speaks_of: |state, input| state != State::Greeted && input == Input::Answer(Verb::Lhlo, Answer::Yes),
        says: |_, _| (State::Ready, Action::ReplyAndReset),
    },
    Rule {
        words: "\u{2022} RSET: reply and reset, on to Ready; Greeted stays Greeted.",
        speaks_of: |_, input| input == Input::Command(Verb::Rset),
        says: |state, _| (if state == State::Greeted { state } else { State::Ready }, Action::ReplyAndReset),
    },
    Rule {
        words: "\u{2022} NOOP, VRFY, EXPN, HELP: served.",
        speaks_of: |_, input| {
            [Verb::Noop, Verb::Vrfy, Verb::Expn, Verb::Help].iter().any(|&verb| input == Input::Command(verb))
        },
        says: |state, _| (state, Action::Serve),
    },
    Rule {
        words: "\u{2022} Every other command: 503, and nothing changes.",
        speaks_of: |_, input| matches!(input, Input::Command(_)),
        says: |state, _| (state, if state == State::Greeted { Action::LhloFirst } else { Action::NotNow }),
    },
];

const NOTE: &str = "\
Before the arrow: what happens. Behind it: what the server does,
besides giving the answer if there is one.
accepted: 2yz, or 354 to DATA. refused: 4yz or 5yz.
decided: either. reset: the transaction is forgotten.
release: the recipients have their replies, in their order.
drop chunk: the chunk is read and dropped, then 503.
In a dashed box no command is read. In the others the first of
these lines that fits goes for what is not drawn:";

const WORDS: edges::Words =
    edges::Words { tones: &[("Yes", "accepted"), ("No", "refused")], unit: "", any_tone: "decided", silent: "Reply" };

const LAYOUT: Layout = Layout {
    title: "The server",
    size: (1190, 1000),
    note: (24, 36),
    bands: &[Band { title: "Transactions", at: (16, 460), size: (1158, 524) }],
    places: &[
        state("Connected", 600, 60),
        state("TurnedAway", 920, 60),
        state("Greeted", 600, 180),
        // Between transactions.
        state("Ready", 600, 350).size(150, 110).back(Side::Left),
        state("Securing", 920, 250),
        state("Authenticating", 920, 375),
        // The envelope.
        state("Sender", 600, 510),
        state("Recipients", 600, 620).size(150, 80).back(Side::Left),
        // DATA, and BDAT beside it.
        state("Content", 480, 770),
        state("Chunks", 790, 770).back(Side::Below),
        state("BrokenChunks", 1070, 770).back(Side::Below),
        state("Finals", 600, 920).size(150, 60),
    ],
    routes: &[
        route("Connected", "TurnedAway", &[], From(685, 54)),
        route("Connected", "Greeted", &[], From(606, 120)),
        route("Greeted", "Ready", &[(580, 240)], To(574, 240)),
        route("Ready", "Greeted", &[(620, 240)], From(626, 240)),
        route("Ready", "Sender", &[], From(606, 440)),
        route("Ready", "Authenticating", &[(760, 367)], From(690, 361)),
        route("Authenticating", "Ready", &[(760, 383)], From(690, 400)),
        route("Ready", "Securing", &[(920, 320)], From(690, 314)),
        route("Securing", "Greeted", &[(920, 180)], From(700, 174)),
        route("Sender", "Recipients", &[], From(606, 555)),
        route("Sender", "BrokenChunks", &[(1100, 510)], From(700, 504)),
        route("Recipients", "Content", &[(528, 700)], To(522, 700)),
        route("Recipients", "Ready", &[(370, 595), (370, 390)], From(376, 560)),
        route("Recipients", "Chunks", &[(790, 640)], From(796, 700)),
        route("Recipients", "BrokenChunks", &[(1045, 605)], From(700, 599)),
        route("Recipients", "Finals", &[(620, 700)], From(626, 740)),
        route("Content", "Finals", &[(480, 920)], To(474, 850)),
        route("Chunks", "BrokenChunks", &[], From(880, 764)),
        route("Chunks", "Finals", &[(845, 905)], From(700, 899)),
        route("BrokenChunks", "Finals", &[(1125, 935)], From(700, 951)),
        route("Finals", "Ready", &[(250, 935), (250, 315)], From(256, 870)),
    ],
    end: "Over",
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges that are drawn and the rules of the note say the whole table.
    #[test]
    fn every_cell_is_drawn_or_a_rule_says_it() {
        let inputs = Input::all();
        let edges = edges(&Table { states: &State::ALL, inputs: &inputs, step, is_drawn });
        let (mut drawn, mut ruled) = (0, [0; RULES.len()]);
        for state in State::ALL {
            for &input in &inputs {
                let (next, action) = step(state, input);
                let cell = (format!("{input:?}"), format!("{action:?}"));
                let edge = edges.iter().find(|edge| (&edge.from, &edge.to) == (&name(&state), &name(&next)));
                let is_there = edge.is_some_and(|edge| edge.cells.contains(&cell));
                drawn += usize::from(is_there);
                if action == Action::Impossible {
                    assert!(!is_there, "{cell:?} in {state:?}");
                } else if !is_there {
                    let rule = RULES.iter().position(|rule| (rule.speaks_of)(state, input)).unwrap();
                    assert_eq!((RULES[rule].says)(state, input), (next, action), "{cell:?} in {state:?}");
                    ruled[rule] += 1;
                }
            }
        }
        assert_eq!(drawn, edges.iter().map(|edge| edge.cells.len()).sum::<usize>());
        assert!(ruled.iter().all(|&cells| cells > 0), "a rule of nothing: {ruled:?}");
    }

    /// Where the note says that no command is read, or that every other one is 503, that is so.
    #[test]
    fn a_box_is_dashed_where_no_command_is_read() {
        for state in State::ALL {
            for &verb in Verb::ALL {
                let is_possible = step(state, Input::Command(verb)).1 != Action::Impossible;
                assert_eq!(is_possible, reads_commands(state), "{verb} in {state:?}");
            }
        }
    }

    /// A command before its answer is not drawn, so the answer has to be.
    #[test]
    fn what_is_asked_is_what_has_an_answer() {
        for state in State::ALL.into_iter().filter(|&state| reads_commands(state)) {
            for &verb in Verb::ALL {
                let is_asked = step(state, Input::Command(verb)).1 == Action::Ask;
                for answer in [Answer::Yes, Answer::No] {
                    let has_answer = step(state, Input::Answer(verb, answer)).1 != Action::Impossible;
                    assert_eq!(has_answer, is_asked, "{verb} in {state:?}, {answer:?}");
                }
            }
        }
    }
}
