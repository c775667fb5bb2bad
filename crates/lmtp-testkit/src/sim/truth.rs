//! What really became of the messages, by the application of the server.

use std::collections::BTreeSet;

/// A recipient: the number of the message, and its place in the envelope.
pub(super) type Whom = (usize, usize);

/// What really became of the messages.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// The whole message came, and the application's 2yz for that recipient was
    /// taken by the machine: the responsibility is the server's.
    pub(super) stored: BTreeSet<Whom>,
    /// The whole message came, and the application's 2yz came too late: it was
    /// answered in the application's stead, or nobody was left to be answered. An
    /// application that has stored the message nevertheless will have it twice, so
    /// the client must not take it for refused.
    pub(super) late: BTreeSet<Whom>,
    /// The whole message came for that recipient.
    pub(super) ended: BTreeSet<Whom>,
}
