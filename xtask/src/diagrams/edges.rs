//! What a table says, as edges with words on them.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// All ways from one state to another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    /// One line for each action, with all that leads to it.
    pub(super) label: Vec<String>,
}

/// The tones of replies, by their names in the tables.
const TONES: [(&str, &str); 3] = [("Yes", "2yz"), ("GoOn", "3yz"), ("No", "4yz 5yz")];

/// Every cell of a table that is not a violation, in the order of the states; cells that go the same way
/// are one edge.
pub(super) fn edges<S, I, A>(states: &[S], inputs: &[I], step: fn(S, I) -> (S, A), violation: &A) -> Vec<Edge>
where
    S: Copy + Debug,
    I: Copy + Debug,
    A: Debug + PartialEq,
{
    let mut edges: Vec<Edge> = Vec::new();
    for &state in states {
        // What leads where: to (state, words before the tone, action) by the tones.
        let mut ways: Vec<((String, String, String), Vec<String>)> = Vec::new();
        for &input in inputs {
            let (next, action) = step(state, input);
            if action == *violation {
                continue;
            }
            let (words, tone) = input_words(&format!("{input:?}"));
            let way = (name(&next), words, action_words(&format!("{action:?}")));
            match ways.iter_mut().find(|(other, _)| *other == way) {
                Some((_, tones)) => tones.extend(tone),
                None => ways.push((way, tone.into_iter().collect())),
            }
        }
        let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut order = Vec::new();
        for ((to, words, action), tones) in ways {
            let tones = if tones.len() == TONES.len() { "any reply".to_owned() } else { tones.join(" ") };
            let heard = [words, tones].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
            let line = if action.is_empty() { heard } else { format!("{heard} \u{2192} {action}") };
            if !labels.contains_key(&to) {
                order.push(to.clone());
            }
            labels.entry(to).or_default().push(line);
        }
        for to in order {
            let label = labels.remove(&to).unwrap_or_default();
            edges.push(Edge { from: name(&state), to, label });
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

/// `Reply(Mail, Yes)` is `MAIL` and `2yz`, `Command(Mail)` is `MAIL`.
fn input_words(input: &str) -> (String, Option<String>) {
    let (name, parts) = call(input);
    let mut words = match name {
        "Reply" | "Command" => Vec::new(),
        "Recipient" => vec!["RCPT".to_owned()],
        name => vec![spaced(name)],
    };
    let mut tone = None;
    for part in parts {
        match (part, TONES.iter().find(|(name, _)| *name == part)) {
            (_, Some((_, said))) => tone = Some((*said).to_owned()),
            ("Follow", None) => words.push("not the last".to_owned()),
            ("Last", None) => words.push("the last".to_owned()),
            ("Rcpt" | "Data" | "Bdat", None) if name == "Recipient" => {
                words.push(format!("then {}", part.to_uppercase()));
            }
            (part, None) if matches!(name, "Reply" | "Command") => words.push(part.to_uppercase()),
            (part, None) => words.push(part.to_lowercase()),
        }
    }
    (words.join(", "), tone)
}

/// `Send(Mail)` is `MAIL`, `Wait` is nothing.
fn action_words(action: &str) -> String {
    match call(action) {
        ("Wait", _) => String::new(),
        ("Send", parts) => parts.join(" ").to_uppercase(),
        (name, parts) if parts.is_empty() => spaced(name),
        (name, parts) => format!("{} {}", spaced(name), parts.join(" ").to_lowercase()),
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

    #[derive(Debug, Clone, Copy)]
    enum Tone {
        Yes,
        GoOn,
        No,
    }

    #[derive(Debug, Clone, Copy)]
    enum Input {
        Reply(&'static str, Tone),
        ContentEnds,
    }

    #[derive(Debug, PartialEq)]
    enum Action {
        Wait,
        Finish,
        Violation,
    }

    #[test]
    fn cells_that_go_the_same_way_are_one_edge() {
        let step = |state, input| match (state, input) {
            (State::One, Input::ContentEnds) => (State::Two { full: false }, Action::Finish),
            (State::One, Input::Reply(_, Tone::Yes | Tone::No)) => (State::Two { full: true }, Action::Wait),
            (State::Two { full: true }, Input::Reply("X", _)) => (state, Action::Wait),
            _ => (State::One, Action::Violation),
        };
        let tones = [Tone::Yes, Tone::GoOn, Tone::No];
        let inputs: Vec<Input> =
            tones.map(|tone| Input::Reply("X", tone)).into_iter().chain([Input::ContentEnds]).collect();
        let edge =
            |from: &str, to: &str, label: &str| Edge { from: from.into(), to: to.into(), label: vec![label.into()] };
        let edges = edges(&[State::One, State::Two { full: true }], &inputs, step, &Action::Violation);
        assert_eq!(
            edges,
            [
                edge("One", "Two, full", "\"X\": 2yz 4yz 5yz"),
                edge("One", "Two", "content ends \u{2192} finish"),
                edge("Two, full", "Two, full", "\"X\": any reply"),
            ]
        );
    }

    #[test]
    fn the_words_of_inputs_and_actions() {
        let no = Some("4yz 5yz".to_owned());
        assert_eq!(input_words("Recipient(No, Data)"), ("RCPT, then DATA".to_owned(), no.clone()));
        assert_eq!(input_words("Final(No, Last)"), ("final, the last".to_owned(), no.clone()));
        assert_eq!(input_words("Reply(Mail, No)"), ("MAIL".to_owned(), no));
        assert_eq!(input_words("Drained"), ("drained".to_owned(), None));
        assert_eq!(action_words("Send(Lhlo)"), "LHLO");
        assert_eq!(action_words("AskForContent"), "ask for content");
        assert_eq!(action_words("Wait"), "");
    }
}
