//! What follows DATA: the end where the definition says, the same content however it is cut.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lmtp_testkit::fuzz::unstuff(data));
