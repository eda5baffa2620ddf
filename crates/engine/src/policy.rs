//! A loaded policy.
