//! Versioned disk images.
