#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate_properties::resealed_tables_never_lie::check(bytes));
