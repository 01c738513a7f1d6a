//! Snapshots of environments with real VMs: taking, putting back, forking, and what goes wrong with that.

mod forks;
mod whole;
