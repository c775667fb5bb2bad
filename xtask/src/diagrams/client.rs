//! The client's table, and where its states stand.

use anyhow::Result;
use lmtp_proto::client::table::{Action, Input, State, step};

use super::edges::edges;
use super::svg::{self, Layout, Place, Route, Side};

pub(super) fn draw() -> Result<String> {
    svg::draw(&LAYOUT, &edges(&State::ALL, &Input::all(), step, &Action::Violation))
}

const fn left(name: &'static str, x: i32, y: i32) -> Place {
    Place { name, at: (x, y), side: Side::Left }
}

const fn right(name: &'static str, x: i32, y: i32) -> Place {
    Place { name, at: (x, y), side: Side::Right }
}

const LAYOUT: Layout = Layout {
    title: "The client",
    note: "On each way: what is heard, and after the arrow what is done.\n\
        A dot is the end of the session.\n\
        What has no way from a state is a violation, and ends it too.",
    size: (1460, 1200),
    places: &[
        left("Greeting", 760, 70),
        left("Lhlo", 760, 185),
        right("Ready", 760, 300),
        right("Quitting", 110, 300),
        right("Resetting", 350, 430),
        right("Sender", 760, 430),
        right("NeedsReset", 110, 630),
        right("Refused", 350, 560),
        right("Recipients", 760, 560),
        right("NoRecipients", 350, 700),
        right("Recipients, accepted", 760, 700),
        right("Data", 760, 830),
        right("Content", 760, 940),
        left("Chunks", 1250, 880),
        left("Finals", 760, 1050),
        left("GivenUp", 1250, 1100),
    ],
    routes: &[
        Route { from: "Ready", to: "Quitting", via: &[], words: Some((450, 292)) },
        Route { from: "Resetting", to: "Sender", via: &[], words: Some((500, 422)) },
        Route { from: "Recipients", to: "Data", via: &[(1130, 600), (1130, 790)], words: Some((940, 788)) },
        Route { from: "Recipients", to: "Chunks", via: &[(880, 525), (1250, 525)], words: Some((900, 517)) },
        Route { from: "Recipients, accepted", to: "Chunks", via: &[(1190, 735)], words: Some((1140, 725)) },
        Route { from: "NeedsReset", to: "Quitting", via: &[], words: Some((116, 420)) },
        Route { from: "Data", to: "NeedsReset", via: &[(110, 830)], words: Some((300, 822)) },
        Route {
            from: "Chunks",
            to: "NeedsReset",
            via: &[(1350, 900), (1350, 1160), (40, 1160)],
            words: Some((960, 1152)),
        },
        Route { from: "Chunks", to: "Finals", via: &[(1225, 1010)], words: Some((1020, 1010)) },
        Route { from: "GivenUp", to: "NeedsReset", via: &[(1180, 1132), (75, 1132)], words: Some((300, 1124)) },
        Route { from: "Finals", to: "Ready", via: &[(1420, 1050), (1420, 300)], words: Some((880, 292)) },
    ],
    end: "Over",
};
