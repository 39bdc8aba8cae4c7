//! The whole binary against the fakes.
