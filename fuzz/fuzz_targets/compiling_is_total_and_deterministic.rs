#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_properties::compiling_is_total_and_deterministic::check(bytes));
