//! Counting what each machine allocates, and the letters that are sent meanwhile.

use allocation_counter::{AllocationInfo, measure};
use lmtp_proto::bytes::Bytes;
use lmtp_proto::{Content, Envelope, ForwardPath};
use lmtp_testkit::pair::{Letter, Watch};

/// What either machine has allocated in its own calls.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    pub(crate) client: AllocationInfo,
    pub(crate) server: AllocationInfo,
}

impl Watch for Meter {
    fn client<T>(&mut self, call: impl FnOnce() -> T) -> T {
        metered(&mut self.client, call)
    }

    fn server<T>(&mut self, call: impl FnOnce() -> T) -> T {
        metered(&mut self.server, call)
    }
}

fn metered<T>(sum: &mut AllocationInfo, call: impl FnOnce() -> T) -> T {
    let mut result = None;
    *sum += measure(|| result = Some(call()));
    result.expect("it was called")
}

/// The most that is alive at once of what this allocates.
pub(crate) fn peak(run: impl FnOnce()) -> usize {
    usize::try_from(measure(run).bytes_max).expect("memory has an end")
}

/// A letter to so many recipients, in one piece.
pub(crate) fn letter(recipients: usize, content: &[u8]) -> Letter {
    let to = (0..recipients).map(|place| format!("user{place}@example.org").parse::<ForwardPath>().unwrap());
    let envelope = Envelope::new("ann@example.com".parse().unwrap(), to).unwrap();
    Letter { envelope, content: Content::UNKNOWN, pieces: vec![Bytes::copy_from_slice(content)] }
}

/// Lines of 80 octets, so many octets in all or a line less.
pub(crate) fn text(octets: usize) -> Vec<u8> {
    [&[b'x'; 78][..], b"\r\n"].concat().repeat(octets / 80)
}
