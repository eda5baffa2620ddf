//! What a platform does with the SDKs, from the first namespace to the last deletion.
