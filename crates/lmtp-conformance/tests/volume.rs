//! No more is delivered than is told up front.

use std::cell::Cell;
use std::rc::Rc;

use lmtp_conformance::property::{Settings, hold, hold_within};
use lmtp_conformance::{Addresses, Memory, Peer, catalogue, run};
use lmtp_proto::server::Config;
use lmtp_testkit::served::Served;

/// A server whose messages are counted, one for each recipient, and whose largest is known.
struct Counted {
    served: Served,
    before: usize,
    count: Rc<Cell<usize>>,
    largest: Rc<Cell<usize>>,
}

impl Peer for Counted {
    fn hear(&mut self, octets: &[u8]) -> Vec<u8> {
        let said = Peer::hear(&mut self.served, octets);
        let is_delivered = |to: &&String| !to.starts_with("full");
        let stored = self.served.stored.iter().filter(|message| message.to.iter().any(|to| is_delivered(&to)));
        self.count.set(self.before + stored.clone().flat_map(|message| &message.to).filter(is_delivered).count());
        self.largest.set(self.largest.get().max(stored.map(|message| message.content.len()).max().unwrap_or_default()));
        said
    }

    fn has_closed(&self) -> bool {
        Peer::has_closed(&self.served)
    }
}

#[derive(Default)]
struct Counts {
    count: Rc<Cell<usize>>,
    largest: Rc<Cell<usize>>,
}

impl Counts {
    fn server(&self) -> Memory<Counted> {
        let (count, largest) = (Rc::clone(&self.count), Rc::clone(&self.largest));
        let mut config = Config::default();
        (config.offer.binary_mime, config.offer.dsn) = (true, true);
        Memory::new(Counted { served: Served::new(config), before: self.count.get(), count, largest })
    }
}

fn addresses() -> Addresses {
    let [bad, full, other] =
        ["no@example.org", "full@example.org", "eve@example.org"].map(|text| Some(text.to_owned()));
    Addresses { good: "bob@example.org".to_owned(), other, bad, full, ..Addresses::default() }
}

#[test]
fn no_check_delivers_more_than_it_says() {
    let (mut told, mut delivered) = (0, 0);
    for check in catalogue() {
        let counts = Counts::default();
        run(&check, &addresses(), &mut counts.server());
        assert!(counts.count.get() <= check.messages(), "{}: {} of {}", check.id, counts.count.get(), check.messages());
        let (largest, most) = (counts.largest.get(), check.largest_message(&addresses()));
        assert!(largest <= most, "{}: {largest} of {most}", check.id);
        (told, delivered) = (told + check.messages(), delivered + counts.count.get());
    }
    assert!(delivered > 250 && told < delivered + delivered / 2, "{delivered} of {told}");
}

#[test]
fn made_up_conversations_deliver_what_they_say_or_less_where_less_is_allowed() {
    let settings = Settings { seed: 7, cases: 200, good: addresses().good, chunking: true };
    let counts = Counts::default();
    hold(&settings, || counts.server()).unwrap();
    let all = settings.messages();
    assert!(counts.count.get() <= all && counts.count.get() * 2 > all, "{} of {all}", counts.count.get());
    for most in [0, 1, all / 2] {
        let counts = Counts::default();
        hold_within(&settings, most, || counts.server()).unwrap();
        assert!(counts.count.get() <= most, "{} of {most}", counts.count.get());
    }
}
