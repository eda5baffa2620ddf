#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_properties::importers_lose_no_line::check(bytes));
