#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_properties::table_equals_reference::check(bytes));
