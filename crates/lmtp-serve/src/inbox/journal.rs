//! What recipients were answered, the latest of them, for people who look.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

/// So many answers are kept; the oldest go.
const MOST: usize = 1000;

/// An answer to a recipient.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) time: SystemTime,
    /// The message's name; of one that was refused at RCPT there is none.
    pub(crate) id: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: String,
    pub(crate) reply: String,
    /// The file, from the root.
    pub(crate) file: Option<String>,
}

/// The latest answers; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    answers: Mutex<VecDeque<Answered>>,
    /// How many there have been.
    count: watch::Sender<u64>,
}

impl Default for Journal {
    fn default() -> Self {
        Self(Arc::new(Inner { answers: Mutex::default(), count: watch::Sender::new(0) }))
    }
}

impl Journal {
    pub(crate) fn note(&self, answered: Answered) {
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() == MOST {
            answers.pop_front();
        }
        answers.push_back(answered);
        drop(answers);
        self.0.count.send_modify(|count| *count += 1);
    }

    /// The latest, the latest first.
    pub(super) fn latest(&self, most: usize) -> Vec<Answered> {
        let answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().rev().take(most).cloned().collect()
    }

    /// What all recipients of a stored message were answered, found by the file of one of them, in their order.
    pub(super) fn of(&self, mailbox: &str, file: &str) -> Vec<Answered> {
        let answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |answered: &&Answered| {
            let parts = answered.file.as_deref().and_then(|file| file.rsplit_once('/'));
            parts.is_some_and(|(path, name)| path.strip_suffix("/new").unwrap_or(path) == mailbox && name == file)
        };
        let Some(id) = answers.iter().rev().find(is_it).and_then(|answered| answered.id.clone()) else {
            return Vec::new();
        };
        answers.iter().filter(|answered| answered.id.as_ref() == Some(&id)).cloned().collect()
    }

    /// Wakes up with each answer.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.0.count.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(id: Option<&str>, to: &str, file: Option<&str>) -> Answered {
        let (id, file) = (id.map(Into::into), file.map(Into::into));
        Answered { time: SystemTime::now(), id, from: None, to: to.into(), reply: "250 ok".into(), file }
    }

    #[test]
    fn the_recipients_of_a_message_are_found_by_the_file_of_one() {
        let journal = Journal::default();
        let mut watch = journal.watch();
        journal.note(answered(Some("m1"), "<bob@x>", Some("x/bob/new/1.a")));
        journal.note(answered(Some("m1"), "<eve@x>", None));
        journal.note(answered(Some("m2"), "<bob@x>", Some("x/bob/new/1.b")));
        let to: Vec<String> = journal.of("x/bob", "1.a").into_iter().map(|answered| answered.to).collect();
        assert_eq!(to, ["<bob@x>", "<eve@x>"]);
        assert!(journal.of("x/eve", "1.a").is_empty());
        assert_eq!(*watch.borrow_and_update(), 3);
        for _ in 0..2 * MOST {
            journal.note(answered(None, "<nobody@x>", None));
        }
        assert_eq!(journal.latest(usize::MAX).len(), MOST);
        assert!(journal.of("x/bob", "1.a").is_empty());
    }
}
