//! A client and a server that are both ours, on a line that a fuzzer has in hand.

use crate::sim::{Random, simulate};

/// A client and a server, joined: octets decide what is sent, how either side is set up, what the
/// application answers and when, and what the line does to it all; then the session is judged as every
/// session of the [simulator](crate::sim) is.
///
/// What is *delivered* was stored, what is *unsent* or *permanent* was not, no reply belongs to another
/// command, and either driver is asked to do no more than a few things for each octet.
pub fn pair(data: &[u8]) {
    simulate(Random::from_octets(data), false);
}
