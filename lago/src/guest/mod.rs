//! Everything that talks into a guest.
