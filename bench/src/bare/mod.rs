//! The reference for starts: the same machines under QEMU alone.
//!
//! They boot the disks of a prefix that is not started, with the devices that lago gives its domains, but on QEMU's own
//! user network, whose port forwarding on the loopback address leads to their ssh servers.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lago::guest::keys::load_public;
use lago::guest::{Reach, Ssh, SshTarget, console};
use lago::host::Acceleration;
use lago::utils::parallel;
use lago::{Prefix, Vm};

/// How often a new connection is tried while earlier ones wait for the server's greeting. QEMU accepts a connection
/// long before its guest can, and sends a lost one again only after seconds, so a single one would flatter lago.
const TRY_INTERVAL: Duration = Duration::from_millis(500);

/// How many connections wait at once. Each has four seconds, for a server that is slow to greet under emulation.
const WAITING: usize = 8;

/// The machines of a prefix under QEMU alone; killed when dropped.
pub(crate) struct BareMachines(Vec<BareMachine>);

struct BareMachine {
    process: Arc<Mutex<Child>>,
    ssh: Ssh,
}

impl BareMachines {
    /// Powers on what the prefix would.
    pub(crate) fn power_on(prefix: &Prefix) -> Result<Self> {
        let mut machines = Self(Vec::new());
        for vm in prefix.vms() {
            machines.0.push(BareMachine::power_on(prefix, vm)?);
        }
        Ok(machines)
    }

    /// Waits until a command can be run in each, in the same way as lago does.
    pub(crate) fn wait_for_ssh(&self, limit: Duration) -> Result<()> {
        parallel(&self.0, |machine| machine.ssh.wait(limit))?;
        Ok(())
    }
}

impl BareMachine {
    fn power_on(prefix: &Prefix, vm: &Vm) -> Result<Self> {
        let address = free_address()?;
        let console_log = prefix.paths().console_log(vm.name());
        let process = qemu(prefix, vm, address, &console_log)
            .spawn()
            .context("cannot start qemu-system-x86_64 (through setpriv, of util-linux)")?;
        let process = Arc::new(Mutex::new(process));
        let target = SshTarget {
            vm: vm.name().to_owned(),
            address,
            user: vm.spec().ssh_user.clone(),
            identity: prefix.paths().ssh_key(),
            host_key: load_public(&prefix.paths().host_key_pub(vm.name()))?,
        };
        let reach =
            Forwarded { process: Arc::clone(&process), console_log, waiting: Mutex::default() };
        Ok(Self { process, ssh: Ssh::new(target, Arc::new(reach)) })
    }
}

impl Drop for BareMachine {
    fn drop(&mut self) {
        self.ssh.forget_sessions();
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended already is as good.
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// QEMU with what lago's domains have. It dies with this process.
fn qemu(prefix: &Prefix, vm: &Vm, address: SocketAddr, console_log: &Path) -> Command {
    let (accelerator, processor) = match prefix.record().acceleration {
        Acceleration::Kvm => ("kvm", "host"),
        Acceleration::Tcg => ("tcg", "max"),
    };
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    command.args(["-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc"]);
    command.args(["-machine", "q35", "-accel", accelerator, "-cpu", processor]);
    command.args(["-m", &vm.spec().memory.to_string(), "-smp", &vm.spec().vcpu.to_string()]);
    for disk in &prefix.record().disks[vm.name()] {
        let path = prefix.paths().prefix().join(&disk.path);
        let format =
            if path.extension().is_some_and(|end| end == "qcow2") { "qcow2" } else { "raw" };
        let read_only = if disk.read_only { "on" } else { "off" };
        let path = path.display().to_string().replace(',', ",,");
        command.arg("-drive").arg(format!(
            "if=virtio,file={path},format={format},readonly={read_only},cache=unsafe,discard=unmap"
        ));
    }
    for nic in vm.nics() {
        // Forwarding works all the same when the guest cannot reach anything by itself.
        command.arg("-netdev").arg(format!("user,id=net,restrict=on,hostfwd=tcp:{address}-:22"));
        command.arg("-device").arg(format!("virtio-net-pci,netdev=net,mac={}", nic.mac));
    }
    command.arg("-serial").arg(format!("file:{}", console_log.display()));
    command.args(["-device", "virtio-serial-pci", "-device", "virtio-balloon-pci"]);
    command.args(["-chardev", "null,id=agent"]);
    command.args(["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]);
    command.args(["-object", "rng-random,id=random,filename=/dev/urandom"]);
    command.args(["-device", "virtio-rng-pci,rng=random"]);
    command.stdin(Stdio::null());
    command
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A guest behind QEMU's port forwarding.
struct Forwarded {
    process: Arc<Mutex<Child>>,
    console_log: std::path::PathBuf,
    /// Connections on which nothing has come yet, the oldest first.
    waiting: Mutex<Vec<TcpStream>>,
}

impl Reach for Forwarded {
    /// A connection on which the server has greeted: before that, it may be with QEMU alone.
    fn connect(&self, address: SocketAddr, limit: Duration) -> io::Result<TcpStream> {
        let end = Instant::now() + limit;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while Instant::now() < end {
            if waiting.len() == WAITING {
                waiting.remove(0);
            }
            waiting.extend(TcpStream::connect_timeout(&address, TRY_INTERVAL));
            if let Some(stream) = greeted(&mut waiting, Instant::now() + TRY_INTERVAL)? {
                waiting.clear();
                return Ok(stream);
            }
        }
        Err(io::ErrorKind::TimedOut.into())
    }

    fn gone(&self) -> Option<String> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.try_wait().ok().flatten().map(|status| format!("QEMU ended with {status}"))
    }

    fn console_tail(&self) -> String {
        console::tail(&self.console_log)
    }
}

/// The first connection on which something arrives before `end`. Those that are closed are dropped.
fn greeted(waiting: &mut Vec<TcpStream>, end: Instant) -> io::Result<Option<TcpStream>> {
    /// How often to look.
    const INTERVAL: Duration = Duration::from_millis(5);
    while Instant::now() < end {
        for index in (0..waiting.len()).rev() {
            waiting[index].set_nonblocking(true)?;
            match waiting[index].peek(&mut [0]) {
                Ok(1..) => {
                    let stream = waiting.remove(index);
                    stream.set_nonblocking(false)?;
                    return Ok(Some(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => drop(waiting.remove(index)),
            }
        }
        thread::sleep(INTERVAL);
    }
    Ok(None)
}
