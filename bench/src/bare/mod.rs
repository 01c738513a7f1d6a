//! The reference: the same machines under QEMU alone.
//!
//! They boot the disks of a prefix that is not started, with the devices that lago gives its domains, but on QEMU's own
//! user network, whose port forwarding on the loopback address leads to their ssh servers. QEMU's own way to keep and
//! bring back the state of a machine is its migration, to a file and from one.

mod agent;
mod forwarded;
mod qmp;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use anyhow::{Context, Result, anyhow};
use lago::guest::keys::load_public;
use lago::guest::{Agent, Ssh, SshTarget};
use lago::host::Acceleration;
use lago::utils::parallel;
use lago::{Prefix, Vm, cmd};
use serde_json::json;
use tempfile::TempDir;

use forwarded::Forwarded;
use qmp::Monitor;

/// The machines of a prefix under QEMU alone; killed when dropped.
pub(crate) struct BareMachines {
    machines: Vec<BareMachine>,
    prefix: Prefix,
    /// Not in the prefix, as the path of a socket must be short.
    sockets: TempDir,
}

/// What the machines were when they were kept.
pub(crate) struct BareSnapshot {
    dir: PathBuf,
    disks: Vec<Vec<Disk>>,
    /// How long it took to keep it.
    pub(crate) took: Duration,
    /// How long the machines stood still for it.
    pub(crate) pause: Duration,
}

/// A file that a machine has as a disk.
#[derive(Debug, Clone)]
struct Disk {
    path: PathBuf,
    format: &'static str,
    read_only: bool,
}

struct BareMachine {
    process: Arc<Mutex<Child>>,
    ssh: Ssh,
    agent: Agent,
    monitor: PathBuf,
    disks: Vec<Disk>,
}

/// How a machine starts.
struct Start<'a> {
    prefix: &'a Prefix,
    vm: &'a Vm,
    disks: Vec<Disk>,
    /// The memory that it goes on with; without one, it boots.
    memory: Option<PathBuf>,
    sockets: &'a Path,
}

impl BareMachines {
    /// Powers on what the prefix would.
    pub(crate) fn power_on(prefix: &Prefix) -> Result<Self> {
        let mut bare =
            Self { machines: Vec::new(), prefix: prefix.clone(), sockets: TempDir::new()? };
        for vm in prefix.vms() {
            let disks = Disk::of(prefix, vm);
            let start = Start { prefix, vm, disks, memory: None, sockets: bare.sockets.path() };
            bare.machines.push(start.machine()?);
        }
        Ok(bare)
    }

    /// Waits until a command can be run in each, in the same way as lago does.
    pub(crate) fn wait_for_ssh(&self, limit: Duration) -> Result<()> {
        parallel(&self.machines, |machine| machine.ssh.wait(limit))?;
        Ok(())
    }

    /// Runs a command in each over ssh.
    pub(crate) fn run_true(&self) -> Result<()> {
        parallel(&self.machines, |machine| machine.ssh.run(&cmd!("true")))?;
        Ok(())
    }

    /// Waits until each guest's agent answers.
    pub(crate) fn wait_for_agents(&self, limit: Duration) -> Result<()> {
        parallel(&self.machines, |machine| machine.agent.wait(limit))?;
        Ok(())
    }

    /// Keeps disks and memory of all machines as they are at one instant. They run on.
    pub(crate) fn save(&mut self, name: &str) -> Result<BareSnapshot> {
        let dir = self.prefix.paths().prefix().join(name);
        std::fs::create_dir(&dir)?;
        let disks = self.machines.iter().map(|machine| machine.disks.clone()).collect();
        let mut monitors = each(&self.machines, |_, machine| Monitor::open(&machine.monitor))?;
        let began = Instant::now();
        each(&mut monitors, |_, monitor| monitor.execute("stop", &json!({})))?;
        each(self.machines.iter_mut().zip(&mut monitors), |index, (machine, monitor)| {
            machine.move_on(monitor, &dir, index)?;
            monitor.migrate_to(&memory_file(&dir, index))
        })?;
        each(&mut monitors, |_, monitor| monitor.execute("cont", &json!({})))?;
        let took = began.elapsed();
        Ok(BareSnapshot { dir, disks, took, pause: took })
    }

    /// Replaces the machines by what they were.
    pub(crate) fn restore(&mut self, snapshot: &BareSnapshot, name: &str) -> Result<()> {
        let dir = self.prefix.paths().prefix().join(name);
        std::fs::create_dir(&dir)?;
        self.machines.clear();
        let (prefix, sockets) = (&self.prefix, self.sockets.path());
        // A QEMU dies with the thread that has started it, so that is this one.
        for (index, (vm, below)) in prefix.vms().zip(&snapshot.disks).enumerate() {
            let disks = overlays(below, &dir, index)?;
            let memory = Some(memory_file(&snapshot.dir, index));
            self.machines.push(Start { prefix, vm, disks, memory, sockets }.machine()?);
        }
        let mut monitors = each(&self.machines, |_, machine| {
            let mut monitor = Monitor::open(&machine.monitor)?;
            monitor.wait_for("query-status", "paused")?;
            Ok(monitor)
        })?;
        each(&mut monitors, |_, monitor| monitor.execute("cont", &json!({})))?;
        Ok(())
    }
}

impl BareSnapshot {
    /// The files that hold the memory.
    pub(crate) fn memory_files(&self) -> impl Iterator<Item = PathBuf> {
        (0..self.disks.len()).map(|index| memory_file(&self.dir, index))
    }
}

fn memory_file(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("{index}.memory"))
}

/// New files on top of those that the guest writes to.
fn overlays(below: &[Disk], dir: &Path, machine: usize) -> Result<Vec<Disk>> {
    let overlay = |(index, disk): (usize, &Disk)| {
        if disk.read_only {
            return Ok(disk.clone());
        }
        let path = overlay_file(dir, machine, index);
        let status = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", disk.format, "-b"])
            .args([&disk.path, &path])
            .status()?;
        anyhow::ensure!(status.success(), "qemu-img ended with {status}");
        Ok(Disk { path, format: "qcow2", read_only: false })
    };
    below.iter().enumerate().map(overlay).collect()
}

fn overlay_file(dir: &Path, machine: usize, disk: usize) -> PathBuf {
    dir.join(format!("{machine}-{disk}.qcow2"))
}

/// Works on all items at once.
fn each<I: IntoIterator, T: Send>(
    items: I,
    work: impl Fn(usize, I::Item) -> Result<T> + Sync,
) -> Result<Vec<T>>
where
    I::Item: Send,
{
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| scope.spawn(move || work(index, item)))
            .collect();
        let results = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        results.map(|result| result.map_err(|_| anyhow!("a thread panicked"))?).collect()
    })
}

impl Disk {
    fn of(prefix: &Prefix, vm: &Vm) -> Vec<Self> {
        let disks = prefix.record().disks[vm.name()].iter().map(|disk| {
            let path = prefix.paths().prefix().join(&disk.path);
            let is_qcow2 = path.extension().is_some_and(|end| end == "qcow2");
            let format = if is_qcow2 { "qcow2" } else { "raw" };
            Self { path, format, read_only: disk.read_only }
        });
        disks.collect()
    }
}

impl BareMachine {
    /// Has the guest write to new files from now on.
    fn move_on(&mut self, monitor: &mut Monitor, dir: &Path, machine: usize) -> Result<()> {
        for (index, disk) in self.disks.iter_mut().enumerate() {
            if disk.read_only {
                continue;
            }
            let path = overlay_file(dir, machine, index);
            let arguments = json!({
                "device": format!("virtio{index}"), "snapshot-file": path, "format": "qcow2",
            });
            monitor.execute("blockdev-snapshot-sync", &arguments)?;
            *disk = Disk { path, format: "qcow2", read_only: false };
        }
        Ok(())
    }
}

impl Start<'_> {
    fn machine(self) -> Result<BareMachine> {
        let address = free_address()?;
        let name = self.vm.name();
        let console_log = self.prefix.paths().console_log(name);
        let monitor = self.socket("monitor");
        let process = self
            .qemu(address, &console_log, &monitor)
            .spawn()
            .context("cannot start qemu-system-x86_64 (through setpriv, of util-linux)")?;
        let process = Arc::new(Mutex::new(process));
        let target = SshTarget {
            vm: name.to_owned(),
            address,
            user: self.vm.spec().ssh_user.clone(),
            identity: self.prefix.paths().ssh_key(),
            host_key: load_public(&self.prefix.paths().host_key_pub(name))?.into(),
            password: None,
        };
        let reach = Forwarded::new(Arc::clone(&process), console_log);
        let agent = agent::Socket::new(self.socket("agent"));
        Ok(BareMachine {
            process,
            ssh: Ssh::new(target, Arc::new(reach)),
            agent: Agent::new(name, Arc::new(agent)),
            monitor,
            disks: self.disks,
        })
    }

    fn socket(&self, what: &str) -> PathBuf {
        self.sockets.join(format!("{}.{what}", self.vm.name()))
    }

    /// QEMU with what lago's domains have. It dies with this process.
    fn qemu(&self, address: SocketAddr, console_log: &Path, monitor: &Path) -> Command {
        let (accelerator, processor) = match self.prefix.record().acceleration {
            Acceleration::Kvm => ("kvm", "host"),
            Acceleration::Tcg => ("tcg", "max"),
        };
        let spec = self.vm.spec();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc"]);
        command.args(["-machine", "q35", "-accel", accelerator, "-cpu", processor]);
        command.args(["-m", &spec.memory.to_string(), "-smp", &spec.vcpu.to_string()]);
        for Disk { path, format, read_only } in &self.disks {
            let read_only = if *read_only { "on" } else { "off" };
            let path = escaped(path);
            command.arg("-drive").arg(format!(
                "if=virtio,file={path},format={format},readonly={read_only},cache=unsafe,discard=unmap"
            ));
        }
        for nic in self.vm.nics() {
            // Forwarding works all the same when the guest cannot reach anything by itself.
            command
                .arg("-netdev")
                .arg(format!("user,id=net,restrict=on,hostfwd=tcp:{address}-:22"));
            command.arg("-device").arg(format!("virtio-net-pci,netdev=net,mac={}", nic.mac));
        }
        command.arg("-serial").arg(format!("file:{}", console_log.display()));
        command.args(["-device", "virtio-serial-pci", "-device", "virtio-balloon-pci"]);
        let server = |socket: &Path| format!("path={},server=on,wait=off", escaped(socket));
        let agent = server(&self.socket("agent"));
        command.arg("-chardev").arg(format!("socket,id=agent,{agent}"));
        command.args(["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]);
        command.args(["-object", "rng-random,id=random,filename=/dev/urandom"]);
        command.args(["-device", "virtio-rng-pci,rng=random"]);
        let monitor = server(monitor);
        command.arg("-chardev").arg(format!("socket,id=monitor,{monitor}"));
        command.args(["-mon", "chardev=monitor,mode=control"]);
        if let Some(memory) = &self.memory {
            command.arg("-incoming").arg(format!("exec:cat '{}'", memory.display()));
        }
        // It says there which files it makes.
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

/// A path in one of QEMU's lists of options.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
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

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
