//! Where things are in a prefix.
