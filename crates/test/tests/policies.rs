//! The repository's own policies do what their tests say: each case is a test.

tidegate_test::harness!("../../policies/*.test.toml");
