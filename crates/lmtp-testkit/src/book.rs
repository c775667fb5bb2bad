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
    LmtpByHand = "lmtp-by-hand.md",
    TheMachine = "the-machine.md",
    TheLoop = "the-loop.md",
    YourOwnLoop = "your-own-loop.md",
    TheAnswer = "the-answer.md",
    AServerThatKeepsMail = "a-server-that-keeps-mail.md",
    ConformanceServers = "conformance-servers.md",
    ConformanceClients = "conformance-clients.md",
    ConformanceResults = "conformance-results.md",
    ConformanceResultsClients = "conformance-results-clients.md",
    FromTheSeeds = "from-the-seeds.md",
}
