//! The init file as types.
