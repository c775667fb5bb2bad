//! The book's Rust compiles and runs, as doctests; its transcripts are played by `tests/book.rs`.

/// The chapters, each named as its file. A test compares with the files.
#[cfg(doctest)]
macro_rules! chapters {
    ($($name:ident = $file:literal),+ $(,)?) => {
        $(#[doc = include_str!(concat!("../../../docs/book/src/", $file))] struct $name;)+
    };
}

#[cfg(doctest)]
chapters! {
    ByHand = "by-hand.md",
    TheMachine = "machine.md",
    TheLoop = "loop.md",
    Answers = "answers.md",
}
