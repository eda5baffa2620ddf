#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_properties::canonical_urls_agree::check(bytes));
