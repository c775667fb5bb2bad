//! The message on the wire: what it may hold, where its lines end, which dots
//! are doubled.

mod chunk;
mod class;
mod content;
mod look;
mod stuff;
mod unstuff;
mod walk;

pub use chunk::Chunker;
pub use content::{Content, ContentClass, Scan};
pub use stuff::Stuffer;
pub use unstuff::{BareNewlines, Piece, Unstuffer};
pub use walk::{ContentError, ContentProblem, LineEndings};

#[cfg(test)]
mod proof;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod unstuff_tests;
