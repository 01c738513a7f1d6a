//! Where domains run.
