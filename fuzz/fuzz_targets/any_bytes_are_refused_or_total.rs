#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_properties::any_bytes_are_refused_or_total::check(bytes));
