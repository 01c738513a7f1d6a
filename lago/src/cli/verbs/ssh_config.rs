use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::Prefix;
use crate::cli::completion::vms;
use crate::cli::context::Context;
use crate::guest::ssh::path_in_config;

/// How long a VM may take to accept a connection, for a person who has typed `ssh`.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs; all of them without names.
    #[arg(value_name = "VM", add = vms())]
    vms: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ConnectArguments {
    /// The VM.
    vm: String,
    /// The port.
    port: u16,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let text = ssh_config(&prefix, &self.vms, &this_program()?)?;
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }
}

/// This program as it was called. A program may be `lago` by its name alone.
pub(super) fn this_program() -> anyhow::Result<PathBuf> {
    let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    let is_path = called.components().count() > 1;
    let on_path = || {
        let directories = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&directories).map(|place| place.join(&called));
        places.find(|place| place.is_file())
    };
    let found = if is_path { Some(called.clone()) } else { on_path() };
    Ok(match found {
        Some(found) => std::path::absolute(found)?,
        None => std::env::current_exe()?,
    })
}

/// ssh reaches a guest on a private host through this program, as the address exists only in there.
fn ssh_config(prefix: &Prefix, names: &[String], lago: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for vm in prefix.virt_env().select(names)? {
        let proxy = shlex::try_join([
            &*lago.to_string_lossy(),
            "--prefix-path",
            &*prefix.paths().prefix().to_string_lossy(),
            "connect",
            vm.name(),
        ])?;
        let target = vm.ssh().target();
        writeln!(text, "Host {}", vm.name())?;
        writeln!(text, "  HostName {}", vm.ip())?;
        writeln!(text, "  HostKeyAlias {}", vm.name())?;
        writeln!(text, "  User {}", vm.spec().ssh_user)?;
        let (known_hosts, checking) = prefix.paths().known_hosts_of(vm.has_given_host_key());
        writeln!(text, "  IdentityFile {}", path_in_config(&target.identity))?;
        writeln!(text, "  IdentitiesOnly yes")?;
        writeln!(text, "  UserKnownHostsFile {}", path_in_config(&known_hosts))?;
        writeln!(text, "  StrictHostKeyChecking {checking}")?;
        if vm.is_remote() {
            writeln!(text, "  Port {}", target.address.port())?;
        } else {
            writeln!(text, "  ProxyCommand {} %p", proxy.replace('%', "%%"))?;
        }
    }
    Ok(text)
}

impl ConnectArguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let connected = prefix.vm(&self.vm)?.connect(self.port, CONNECT_LIMIT);
        let what = || format!("cannot connect to port {} of {}", self.port, self.vm);
        let mut to_guest = connected.with_context(what)?;
        let mut from_guest = to_guest.try_clone()?;
        // As files: the standard streams of std keep back what does not end a line.
        let mut stdin = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        let mut stdout = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        thread::spawn(move || {
            // Either side may hang up first; what has arrived until then is all there is to pass on.
            let _ = pass_on(&mut stdin, &mut to_guest);
            let _ = to_guest.shutdown(Shutdown::Write);
        });
        Ok(pass_on(&mut from_guest, &mut stdout)?)
    }
}

/// Copies until the end, each piece at once. `std::io::copy` would use splice(2), which makes TCP keep a piece back until
/// more comes, and in a dialogue nothing more comes.
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
