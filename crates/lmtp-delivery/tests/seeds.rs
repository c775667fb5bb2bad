//! The rows of the seed's adapter, and the test that shows each: what it does is kept or changed on purpose, and what
//! was wrong with it is not here. The book's page "From the seeds to here" has the reasons.

use std::fs;
use std::path::Path;

use lmtp_testkit::rows::{Row, each_has_its_test};

/// A row, and tests of this crate, the program or the protocol that show it.
const ROWS: [Row; 25] = [
    (
        "F1 options, their names and defaults",
        &[
            ("src/options.rs", "one_target_or_several"),
            ("src/options.rs", "what_is_not_known_is_refused_with_its_place"),
            ("src/target.rs", "what_cannot_be_is_named"),
        ],
    ),
    (
        "F2 Unix socket, TCP, TLS; bounds",
        &[
            ("src/target.rs", "where_it_is"),
            ("tests/delivery.rs", "a_certificate_is_checked_unless_none_is_asked_for"),
            ("tests/delivery.rs", "nobody_answers_and_all_are_unsent"),
        ],
    ),
    (
        "F3 connections are used again",
        &[
            ("tests/delivery.rs", "connections_are_used_again_and_a_stale_one_costs_nothing"),
            ("tests/delivery.rs", "an_old_connection_is_not_used"),
        ],
    ),
    (
        "F4 the order of recipients",
        &[
            ("tests/delivery.rs", "more_recipients_than_a_server_takes_go_in_parts"),
            ("tests/peers.rs", "one_too_many_is_for_the_next_transaction"),
        ],
    ),
    ("F5 folders by recipient", &[("tests/delivery.rs", "a_folder_stands_behind_the_delimiter_or_is_refused")]),
    (
        "F6 a reply for each recipient",
        &[("tests/delivery.rs", "each_recipient_has_an_outcome_and_who_is_left_is_told")],
    ),
    ("F7 nobody stops the others", &[("tests/delivery.rs", "each_recipient_has_an_outcome_and_who_is_left_is_told")]),
    (
        "F8 a bounce with code and words",
        &[
            ("src/status.rs", "only_those_who_will_not_get_it_are_told_of"),
            ("src/status.rs", "given_up_all_who_have_waited_are_told_of_too"),
        ],
    ),
    (
        "F9 the report is about the envelope",
        &[("tests/delivery.rs", "a_folder_stands_behind_the_delimiter_or_is_refused")],
    ),
    (
        "F10 bounds, a pool, a retry",
        &[
            ("tests/delivery.rs", "a_hundred_at_once_share_a_few_connections"),
            ("tests/delivery.rs", "cancelled_it_says_what_is_known"),
            ("src/backoff.rs", "waits_grow_to_the_longest_and_stay_there"),
            ("tests/restarts.rs", "restarts_lose_nobody_and_nobody_gets_twice_what_he_surely_has"),
        ],
    ),
    ("F11 no option is read in vain", &[("src/options.rs", "what_is_not_known_is_refused_with_its_place")]),
    ("E1 dots are doubled", &[("../lmtp-cli/tests/deliver.rs", "what_the_server_says_is_what_the_mail_system_hears")]),
    ("E2 each status is read", &[("tests/delivery.rs", "each_recipient_has_an_outcome_and_who_is_left_is_told")]),
    ("E3 replies are framed", &[("../lmtp-testkit/tests/contract/cut.rs", "lines_that_are_cut_anywhere")]),
    (
        "E4 a refused RCPT is that one's",
        &[("tests/delivery.rs", "each_recipient_has_an_outcome_and_who_is_left_is_told")],
    ),
    ("E5 a final reply has its time", &[("tests/peers.rs", "a_final_reply_that_takes_its_time_is_a_delivery")]),
    ("E6 QUIT changes nothing", &[("../lmtp-blocking/tests/client.rs", "a_status_that_was_read_is_never_lost")]),
    (
        "E7 for now is not for good",
        &[("../lmtp-cli/tests/deliver.rs", "what_the_server_says_is_what_the_mail_system_hears")],
    ),
    ("E8 no folder by itself", &[("tests/delivery.rs", "each_goes_where_his_route_leads_and_nobody_is_lost")]),
    (
        "E9 an address without a domain",
        &[
            ("src/route.rs", "by_address_then_by_domain_then_by_default"),
            ("tests/delivery.rs", "each_goes_where_his_route_leads_and_nobody_is_lost"),
        ],
    ),
    (
        "E10 everything ends",
        &[
            ("tests/delivery.rs", "nobody_answers_and_all_are_unsent"),
            ("tests/peers.rs", "a_server_that_takes_nobody_is_asked_once"),
        ],
    ),
    ("E11 certificates are checked", &[("tests/delivery.rs", "a_certificate_is_checked_unless_none_is_asked_for")]),
    ("E12 what is offered is used", &[("tests/peers.rs", "what_a_server_offers_is_used_and_nothing_else")]),
    ("E13 a route passes all on", &[("tests/delivery.rs", "each_goes_where_his_route_leads_and_nobody_is_lost")]),
    ("E19 success is told", &[("../lmtp-cli/tests/deliver.rs", "what_the_server_says_is_what_the_mail_system_hears")]),
];

#[test]
fn each_row_has_its_test() {
    each_has_its_test(Path::new(env!("CARGO_MANIFEST_DIR")), &ROWS);
}

/// No row of the adapter is left out, in the table or on the page.
#[test]
fn all_rows_are_there() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src/from-the-seeds.md");
    let page = fs::read_to_string(page).unwrap();
    for number in 1..=11 {
        assert!(ROWS.iter().any(|(row, _)| row.starts_with(&format!("F{number} "))), "F{number}");
        assert!(page.contains(&format!("| F{number} |")), "F{number}");
    }
}
