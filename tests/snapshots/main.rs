//! Snapshots of environments with real VMs: taking, putting back, forking, and what goes wrong with that.

mod cache;
mod faults;
mod forks;
mod processes;
mod whole;

use lago::{Prefix, cmd};

/// What a script in a guest writes.
fn run(prefix: &Prefix, vm: &str, script: &str) -> String {
    let output = prefix.vm(vm).and_then(|vm| vm.run(cmd!("sh", "-c", script)));
    output.unwrap_or_else(|error| panic!("{script}: {error}")).stdout().into_owned()
}
