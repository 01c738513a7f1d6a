//! One environment and the directory that holds it.
