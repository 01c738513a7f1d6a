//! `lago::guest::ssh` against the servers that guests run, OpenSSH and dropbear, on the loopback.

mod basics;
mod faults;
mod files;
mod interactive;
mod load;
mod server;
mod strangers;
