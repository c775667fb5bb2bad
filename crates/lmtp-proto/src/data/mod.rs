//! The message on the wire: what it may hold, where its lines end, which dots
//! are doubled.

mod chunk;
mod content;
mod stuff;
mod walk;

pub use chunk::Chunker;
pub use content::{Content, ContentClass, Scan};
pub use stuff::Stuffer;
pub use walk::{ContentError, ContentProblem, LineEndings};

#[cfg(test)]
mod tests;
