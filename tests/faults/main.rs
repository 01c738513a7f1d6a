//! What goes wrong, what is said about it, and that nothing is left behind.

mod gone;
mod init;
mod killed;
mod never_up;
