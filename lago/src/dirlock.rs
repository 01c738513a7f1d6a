//! Locks on directories that die with their process.
