//! Snapshots of environments with real VMs: taking, putting back, forking, and what goes wrong with that.

mod attached;
mod cache;
mod faults;
mod forks;
mod processes;
mod whole;

use lago_system_tests::in_guest as run;
