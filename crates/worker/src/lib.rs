//! The outbound Worker.
