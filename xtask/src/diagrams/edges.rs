//! What a table says, as edges with words on them.

use std::fmt::Debug;

/// A table, and what of it is drawn.
pub(super) struct Table<'a, S, I, A> {
    pub(super) states: &'a [S],
    pub(super) inputs: &'a [I],
    pub(super) step: fn(S, I) -> (S, A),
    /// Whether a cell is an edge of the picture.
    pub(super) is_drawn: fn(S, I) -> bool,
}

/// All ways from one state to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    /// The inputs that lead there, and what is done.
    pub(super) cells: Vec<(String, String)>,
}

/// How a picture says what its table says.
pub(super) struct Words {
    /// The tones of replies by their names in the table, in the order in which they are written.
    pub(super) tones: &'static [(&'static str, &'static str)],
    /// What is written behind the tones.
    pub(super) unit: &'static str,
    /// All tones in one word.
    pub(super) any_tone: &'static str,
    /// The action of which nothing is said.
    pub(super) silent: &'static str,
}

/// What is said behind a tone, by its name in the tables.
const DETAILS: [(&str, &str); 5] = [
    ("Follow", "not the last"),
    ("Last", "the last"),
    ("Rcpt", "then RCPT"),
    ("Data", "then DATA"),
    ("Bdat", "then BDAT"),
];
/// Details that together say nothing.
const WHOLE: [&[&str]; 2] = [&["not the last", "the last"], &["then RCPT", "then DATA", "then BDAT"]];
/// A longer line is broken before its arrow.
const LONG: usize = 28;

/// The drawn cells of a table, in the order of the states; cells that lead from one state to the same
/// other are one edge.
pub(super) fn edges<S, I, A>(table: &Table<'_, S, I, A>) -> Vec<Edge>
where
    S: Copy + Debug,
    I: Copy + Debug,
    A: Debug,
{
    let mut edges: Vec<Edge> = Vec::new();
    for &state in table.states {
        for &input in table.inputs {
            if !(table.is_drawn)(state, input) {
                continue;
            }
            let (next, action) = (table.step)(state, input);
            let (from, to) = (name(&state), name(&next));
            let cell = (format!("{input:?}"), format!("{action:?}"));
            match edges.iter_mut().find(|edge| (&edge.from, &edge.to) == (&from, &to)) {
                Some(edge) => edge.cells.push(cell),
                None => edges.push(Edge { from, to, cells: vec![cell] }),
            }
        }
    }
    edges
}

/// A state's name: `Recipients { accepted: true }` is `Recipients, accepted`, with `false` it is `Recipients`.
pub(super) fn name(state: &impl Debug) -> String {
    let text = format!("{state:?}");
    let Some((name, fields)) = text.split_once(" {") else { return text };
    let set = fields.trim_end_matches('}').split(',').filter_map(|field| field.trim().strip_suffix(": true"));
    [name].into_iter().chain(set).collect::<Vec<_>>().join(", ")
}

impl Edge {
    /// What is written on it: cells that differ in one part only share a line.
    pub(super) fn label(&self, words: &Words) -> Vec<String> {
        let mut lines: Vec<Line> = self.cells.iter().map(|cell| Line::of(cell, words)).collect();
        for part in [TONE, DETAIL, HEAD] {
            lines = merged(lines, part);
        }
        lines.iter().flat_map(|line| line.written(words)).collect()
    }
}

/// Cells with the same action: what is heard, in three parts.
struct Line {
    heard: [Vec<String>; 3],
    action: String,
}

const HEAD: usize = 0;
const TONE: usize = 1;
const DETAIL: usize = 2;

impl Line {
    /// `Reply(Mail, Yes)` is `MAIL` and `2`, `Command(Mail)` is `MAIL`, `Recipient(No, Data)` is `RCPT`, `4/5`
    /// and `then DATA`.
    fn of((input, action): &(String, String), words: &Words) -> Self {
        let (name, parts) = call(input);
        let mut heard = [const { Vec::new() }; 3];
        let mut head = match name {
            "Reply" | "Answer" | "Command" => None,
            "Recipient" => Some("RCPT".to_owned()),
            name => Some(spaced(name)),
        };
        for part in parts {
            if let Some((_, said)) = words.tones.iter().find(|(tone, _)| *tone == part) {
                heard[TONE].push((*said).to_owned());
            } else if matches!(name, "Reply" | "Answer" | "Command" | "Say") {
                head = Some([head, Some(part.to_uppercase())].into_iter().flatten().collect::<Vec<_>>().join(" "));
            } else {
                let said = DETAILS.iter().find(|(detail, _)| *detail == part).map_or(part, |(_, said)| said);
                heard[DETAIL].push(said.to_owned());
            }
        }
        heard[HEAD].extend(head);
        let mut action = if action == words.silent { String::new() } else { done(action) };
        // What is said next stands behind the arrow, or before it, but not twice.
        heard[DETAIL].retain(|detail| *detail != format!("then {action}"));
        if heard[HEAD].iter().any(|head| *head == format!("say {action}")) {
            action.clear();
        }
        Self { heard, action }
    }

    fn written(&self, words: &Words) -> Vec<String> {
        let [heads, tones, details] = &self.heard;
        let mut text = heads.join(", ").replace(", say ", ", ");
        if !tones.is_empty() {
            let tones = if tones.len() == words.tones.len() {
                words.any_tone.to_owned()
            } else {
                format!("{}{}", tones.join("/"), words.unit)
            };
            text = format!("{text} {tones}");
        }
        let is_whole = WHOLE.iter().any(|whole| {
            whole.len() == details.len() && whole.iter().all(|part| details.iter().any(|detail| detail == part))
        });
        if !is_whole && !details.is_empty() {
            text = format!("{text}, {}", details.join(" or ").replace(" or then ", " or "));
        }
        let action = format!("\u{2192} {}", self.action);
        match (self.action.is_empty(), text.chars().count() + action.chars().count() > LONG) {
            (true, _) => vec![text],
            (false, true) => vec![text, action],
            (false, false) => vec![format!("{text} {action}")],
        }
    }
}

/// Lines that differ in nothing but this part, as one.
fn merged(lines: Vec<Line>, part: usize) -> Vec<Line> {
    let mut merged: Vec<Line> = Vec::new();
    for line in lines {
        let is_same = |other: &&mut Line| {
            other.action == line.action && (0..3).all(|at| at == part || other.heard[at] == line.heard[at])
        };
        match merged.iter_mut().find(is_same) {
            Some(other) => {
                let new: Vec<String> =
                    line.heard[part].iter().filter(|it| !other.heard[part].contains(it)).cloned().collect();
                other.heard[part].extend(new);
            }
            None => merged.push(line),
        }
    }
    merged
}

/// `Send(Mail)` is `MAIL`, `AskForContent` is `ask for content`.
fn done(action: &str) -> String {
    match call(action) {
        ("Send", parts) => parts.join(" ").to_uppercase(),
        (name, _) => spaced(name),
    }
}

/// `Name(a, b)` as its parts.
fn call(text: &str) -> (&str, Vec<&str>) {
    let (name, parts) = text.split_once('(').unwrap_or((text, ""));
    (name, parts.trim_end_matches(')').split(", ").filter(|part| !part.is_empty()).collect())
}

/// `ContentEnds` is `content ends`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy)]
    enum State {
        One,
        Two { full: bool },
    }

    #[derive(Debug)]
    enum Action {
        Wait,
        Finish,
    }

    const WORDS: Words = Words {
        tones: &[("Yes", "2"), ("GoOn", "3"), ("No", "4/5")],
        unit: "yz",
        any_tone: "any reply",
        silent: "Wait",
    };

    fn edge(from: &str, to: &str, cells: &[(&str, &str)]) -> Edge {
        let cells = cells.iter().map(|(input, action)| ((*input).to_owned(), (*action).to_owned())).collect();
        Edge { from: from.into(), to: to.into(), cells }
    }

    #[test]
    fn cells_that_go_the_same_way_are_one_edge() {
        let table = Table {
            states: &[State::One, State::Two { full: true }],
            inputs: &[1, 2, 3, 4],
            step: |state, input| match (state, input) {
                (State::One, 1) => (State::Two { full: false }, Action::Finish),
                (State::One, _) => (State::Two { full: true }, Action::Wait),
                (State::Two { full }, _) => (State::Two { full }, Action::Finish),
            },
            is_drawn: |_, input| input != 4,
        };
        assert_eq!(
            edges(&table),
            [
                edge("One", "Two", &[("1", "Finish")]),
                edge("One", "Two, full", &[("2", "Wait"), ("3", "Wait")]),
                edge("Two, full", "Two, full", &[("1", "Finish"), ("2", "Finish"), ("3", "Finish")]),
            ]
        );
    }

    #[test]
    fn what_is_written_on_one_cell() {
        let written = |input, action| edge("", "", &[(input, action)]).label(&WORDS).join(" / ");
        assert_eq!(written("Recipient(No, Data)", "Wait"), "RCPT 4/5yz, then DATA");
        assert_eq!(written("Recipient(No, Data)", "Send(Data)"), "RCPT 4/5yz \u{2192} DATA");
        assert_eq!(written("Final(No, Last)", "Wait"), "final 4/5yz, the last");
        assert_eq!(written("Reply(Mail, No)", "Finish"), "MAIL 4/5yz \u{2192} finish");
        assert_eq!(written("Drained", "Wait"), "drained");
        assert_eq!(written("Command(StartTls)", "Ask"), "STARTTLS \u{2192} ask");
        assert_eq!(written("Say(StartTls)", "Send(StartTls)"), "say STARTTLS");
        assert_eq!(
            written("Chunk(GoOn, Follow)", "GoHomeAtOnce"),
            "chunk 3yz, not the last / \u{2192} go home at once"
        );
    }

    #[test]
    fn what_is_written_on_many_cells() {
        let written = |cells: &[(&str, &str)]| edge("", "", cells).label(&WORDS).join(" / ");
        let wait = |inputs: &[&'static str]| inputs.iter().map(|input| (*input, "Wait")).collect::<Vec<_>>();
        assert_eq!(written(&wait(&["Reply(Rset, Yes)", "Reply(Rset, GoOn)", "Reply(Rset, No)"])), "RSET any reply");
        assert_eq!(written(&wait(&["Command(Noop)", "Command(Help)"])), "NOOP, HELP");
        let two = ["Chunk(Yes, Follow)", "Chunk(Yes, Last)", "Chunk(No, Follow)", "Chunk(No, Last)"];
        assert_eq!(written(&wait(&two)), "chunk 2/4/5yz");
        assert_eq!(written(&wait(&two[..3])), "chunk 2/4/5yz, not the last / chunk 2yz, the last");
        assert_eq!(written(&wait(&["Recipient(No, Data)", "Recipient(No, Bdat)"])), "RCPT 4/5yz, then DATA or BDAT");
        assert_eq!(written(&[("Say(Trace)", "Send(Trace)"), ("Say(Quit)", "Send(Quit)")]), "say TRACE, QUIT");
        assert_eq!(
            written(&[("Reply(Rset, No)", "Finish"), ("Reply(Rset, Yes)", "Wait")]),
            "RSET 4/5yz \u{2192} finish / RSET 2yz"
        );
    }
}
