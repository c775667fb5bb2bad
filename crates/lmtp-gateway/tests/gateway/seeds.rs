//! The rows of the seed's service, and the tests that show each: what it does is kept or changed on purpose, and what was
//! wrong with it is not here. The book's page "From the seeds to here" has the reasons.

use std::fs;
use std::path::Path;

use lmtp_testkit::rows::{Row, each_has_its_test};

const API: &str = "tests/gateway/api.rs";
const PAGE: &str = "tests/gateway/page.rs";
const LOAD: &str = "tests/gateway/load.rs";
const FORGERY: &str = "tests/gateway/forgery.rs";
const BROWSER: &str = "../../xtask/interop/browser/check.mjs";
const DOVECOT: &str = "../../xtask/src/interop/dovecot/examples.rs";
const PROTO: &str = "../lmtp-proto/src/codec/reply.rs";

const PROBE: (&str, &str) = (API, "a_probe_by_body_by_query_and_by_socket");
const FIELDS: (&str, &str) = (API, "every_wrong_field_is_named");
const EACH: (&str, &str) = (API, "every_recipient_is_answered_for");
const FAULTS: (&str, &str) = (API, "a_server_at_fault_is_502_with_the_phase");
const DOOR: (&str, &str) = (API, "nobody_else_s_page_may_ask");
const LIMITS: (&str, &str) = (API, "too_much_is_refused");
const ROWS: (&str, &str) = (BROWSER, "each recipient has a row with its outcome");
const EXPLAINED: (&str, &str) = (BROWSER, "a probe by the keyboard explains what it found");
const OTHER: (&str, &str) = (BROWSER, "another server is another matter");

const TABLE: [Row; 60] = [
    ("C1 a probe by POST and by GET", &[PROBE, (DOVECOT, "the first seed's probe, by POST and by GET")]),
    ("C2 GET works", &[PROBE]),
    ("C3 a host is needed", &[FIELDS]),
    ("C4 the port", &[FIELDS, (API, "what_is_left_out_is_as_it_was")]),
    ("C5 the time", &[FIELDS, (API, "what_is_left_out_is_as_it_was")]),
    ("C6 greeting, LHLO, QUIT", &[PROBE]),
    ("C7 the fields of the answer", &[PROBE, (API, "the_answers_have_the_fields_of_the_seed")]),
    ("C8 the server's name is no capability", &[PROBE]),
    ("C9 failures are 502 and 504", &[FAULTS, (API, "a_failure_has_its_conversation")]),
    ("C10 what is no JSON is 400", &[FIELDS]),
    ("S1 POST only", &[DOOR]),
    ("S2 what is needed", &[FIELDS, (API, "addresses_that_lmtp_is_for")]),
    ("S3 one recipient or several", &[EACH, FIELDS]),
    ("S4 addresses", &[(API, "addresses_that_lmtp_is_for"), (API, "nothing_is_injected")]),
    ("S5 port and time", &[FIELDS, (API, "what_is_left_out_is_as_it_was")]),
    ("S6 the order on the wire", &[(API, "a_conversation_is_seen_as_it_goes"), EACH]),
    ("S7 all are refused", &[EACH]),
    ("S8 the message that is built", &[EACH, (API, "nothing_is_injected")]),
    (
        "S9 whole messages, a Message-ID",
        &[EACH, (API, "a_raw_message_is_sent_as_it_is"), (API, "a_message_that_is_no_text_is_sent_as_it_is")],
    ),
    ("S10 commands cannot be injected", &[(API, "nothing_is_injected")]),
    (
        "S11 replies that are split anywhere",
        &[("../lmtp-testkit/tests/contract/cut.rs", "lines_that_are_cut_anywhere")],
    ),
    ("S12 the fields of the answer", &[EACH, (API, "the_answers_have_the_fields_of_the_seed")]),
    (
        "S13 the refused recipient is listed",
        &[EACH, (DOVECOT, "the first seed's message, with the recipient that is refused")],
    ),
    ("S14 failures are told by kind and phase", &[FAULTS, (API, "out_of_time_it_says_what_became_of_each")]),
    ("G1 other origins", &[DOOR, (BROWSER, "another site is kept out")]),
    ("G2 the size of a body", &[LIMITS]),
    ("G3 an allow-list in place of one provider's addresses", &[(FORGERY, "by_default_nobody_is_dialled")]),
    (
        "G4 special addresses",
        &[
            (FORGERY, "by_default_nobody_is_dialled"),
            (FORGERY, "what_is_special_is_not_dialled_by_a_name_or_by_everything"),
            ("src/policy.rs", "what_is_special_has_to_be_meant"),
        ],
    ),
    ("G5 rates for targets and clients", &[LIMITS, ("../lmtp-web/src/rate.rs", "two_at_once_are_two")]),
    ("G6 405 and 404", &[DOOR]),
    ("G7 how often it was asked", &[(API, "what_was_asked_is_counted")]),
    ("G8 headers on every answer", &[DOOR, (PAGE, "a_page_for_people")]),
    ("G9 a request that ends", &[(LOAD, "a_request_that_ends_ends_its_transaction")]),
    ("G10 the bare path", &[(API, "the_bare_path_is_for_everybody")]),
    ("U1 the first step", &[EXPLAINED, OTHER]),
    ("U2 what a probe found", &[EXPLAINED]),
    ("U3 the second step comes after the first", &[EXPLAINED, ROWS]),
    ("U4 a row for each recipient", &[ROWS, (BROWSER, "a server that is not there is an error")]),
    ("U5 fields are remembered", &[(BROWSER, "fields are what they were")]),
    ("U6 two curl commands", &[(BROWSER, "both requests can be copied as curl")]),
    ("U7 help", &[(PAGE, "a_page_for_people")]),
    ("D1 who was refused counts", &[EACH]),
    ("D2 closed before all replies", &[FAULTS]),
    ("D3 QUIT changes nothing", &[("../lmtp-blocking/tests/client.rs", "a_status_that_was_read_is_never_lost")]),
    ("D4 final replies have their time", &[(API, "out_of_time_it_says_what_became_of_each")]),
    ("D5 out of time nothing goes on", &[(API, "out_of_time_it_says_what_became_of_each")]),
    ("D6 codes and kinds are told", &[EACH, FAULTS]),
    ("D7 success is not said of nothing", &[FAULTS]),
    ("D8 fields of a wrong kind", &[FIELDS]),
    ("D9 bare codes and LF", &[(PROTO, "replies_of_every_form")]),
    (
        "D10 replies that disagree, replies that nobody asked for",
        &[
            (PROTO, "what_is_no_reply"),
            ("../lmtp-proto/tests/client_rules.rs", "a_stray_reply_is_the_same_under_every_cut"),
        ],
    ),
    ("D11 bounds", &[(PROTO, "limits_hold"), ("../lmtp-proto/tests/loop_rules.rs", "answers_are_bounded")]),
    (
        "D12 TLS and Unix sockets",
        &[PROBE, ("tests/gateway/tls.rs", "servers_are_verified_by_the_authorities_that_are_named")],
    ),
    ("D13 extensions are used", &[(API, "what_a_server_does_not_offer_is_said")]),
    ("D14 bounces and local names", &[(API, "addresses_that_lmtp_is_for")]),
    ("D15 IPv6 addresses as hosts", &[("src/policy.rs", "numbers_that_only_some_take_for_addresses_are_no_hosts")]),
    (
        "D16 types, dots, rebinding, decoys",
        &[
            FIELDS,
            (FORGERY, "by_default_nobody_is_dialled"),
            (FORGERY, "a_name_that_leads_elsewhere_the_second_time"),
            ("src/dial.rs", "beside_a_public_address_a_special_one_is_left_out"),
        ],
    ),
    ("D17 counters are atomic", &[("../lmtp-web/src/rate.rs", "two_at_once_are_two")]),
    ("D18 the page's state, its times, its failures", &[OTHER, ROWS]),
    ("D19 timings, conversation, Message-ID", &[PROBE, EACH]),
];

#[test]
fn each_row_has_its_test() {
    each_has_its_test(Path::new(env!("CARGO_MANIFEST_DIR")), &TABLE);
}

/// No row of the service is left out, and the page tells of each that is changed on purpose.
#[test]
fn all_rows_are_there() {
    for (letter, most) in [("C", 10), ("S", 14), ("G", 10), ("U", 7), ("D", 19)] {
        for number in 1..=most {
            let row = format!("{letter}{number} ");
            assert_eq!(TABLE.iter().filter(|(name, _)| name.starts_with(&row)).count(), 1, "{row}");
        }
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src/from-the-seeds.md");
    let page = fs::read_to_string(page).unwrap();
    let named = |row: &str| {
        let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        cells.flat_map(|cell| cell.split(", ")).any(|name| name == row)
    };
    for row in
        ["C2", "C4", "C5", "C8", "C9", "C10", "S2", "S4", "S5", "S7", "S8", "S9", "S12", "S13", "S14", "G3", "G5", "G9"]
    {
        assert!(named(row), "{row}");
    }
}
