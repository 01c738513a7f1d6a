//! What is done in guests of the tests' image, from outside.

use lago::{Prefix, cmd};

use crate::wait_until;

/// A script that prints a guest's disks by their serial numbers, each with its size in MiB and the beginning of the kernel's
/// name. The rest of that name depends on the order in which the kernel found the disks.
pub const DISKS: &str = r#"
for disk in /sys/block/vd* /sys/block/sd*; do
    case $disk in
        *\*) continue ;;
        */vd*) serial=$(cat "$disk/serial") name=vd ;;
        *) serial=$(tail -c +5 "$disk/device/vpd_pg80") name=sd ;;
    esac
    echo "$serial $(($(cat "$disk/size") / 2048)) $name"
done | sort"#;

/// What a script in a guest writes, which has to succeed.
#[track_caller]
pub fn in_guest(prefix: &Prefix, vm: &str, script: &str) -> String {
    let output = prefix.vm(vm).and_then(|vm| vm.run(cmd!("sh", "-c", script)));
    output.unwrap_or_else(|error| panic!("{script}: {error}")).stdout().into_owned()
}

/// Opens a connection from the client to the server, over which something comes all the time.
pub fn connect(prefix: &Prefix) {
    let background = |vm: &str, script: &str| {
        in_guest(prefix, vm, &format!("setsid sh -c '{script}' </dev/null >/dev/null 2>&1 &"));
    };
    // It ends with its input, so it gets one that stays.
    background("server", "sleep 9999 | nc -l -p 5000 > /dev/shm/received");
    // A client that is too early is refused, and ends.
    wait_until("the server to listen", || {
        in_guest(prefix, "server", "netstat -ltn").contains(":5000 ")
    });
    background("client", "while true; do date; sleep 0.1; done | nc server 5000");
    wait_until("the connection", || received(prefix) > 0);
}

/// How many bytes have come over it.
pub fn received(prefix: &Prefix) -> u64 {
    in_guest(prefix, "server", "wc -c < /dev/shm/received").trim().parse().unwrap()
}

/// What makes a machine the same machine to its guest.
pub fn identity(prefix: &Prefix) -> Vec<String> {
    let script = "cat /sys/class/dmi/id/product_uuid /proc/sys/kernel/random/boot_id \
                  /sys/class/net/e*/address; ls /sys/block";
    prefix.vms().map(|vm| in_guest(prefix, vm.name(), script)).collect()
}
