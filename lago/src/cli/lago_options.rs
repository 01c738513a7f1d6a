//! Options that Lago has before the verb, and that have less to say here.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::Config;
use crate::spec::DomainDefaults;

/// Lago's options. They are in no help, as settings and init files say these things here.
#[derive(Debug, Default, Args)]
pub(super) struct LagoOptions {
    /// How deep Lago's log is nested. Here the log says everything of its level.
    #[arg(long, value_name = "N", global = true, hide = true, allow_negative_numbers = true)]
    pub(super) logdepth: Option<i32>,

    /// Log no warnings.
    #[arg(long, global = true, hide = true)]
    pub(super) ignore_warnings: bool,

    /// The user that logs in, of domains for which the init file names none.
    #[arg(long, value_name = "USER", global = true, hide = true)]
    pub(super) ssh_user: Option<String>,

    /// That user's password.
    #[arg(long, value_name = "PASSWORD", global = true, hide = true)]
    pub(super) ssh_password: Option<String>,

    /// How often to try ssh: together with `--ssh-timeout` the limit of waiting for a guest.
    #[arg(long, value_name = "N", global = true, hide = true)]
    pub(super) ssh_tries: Option<u32>,

    /// How many seconds each try may take.
    #[arg(long, value_name = "SECONDS", global = true, hide = true)]
    pub(super) ssh_timeout: Option<u32>,

    /// The libvirt to use instead of a private host.
    #[arg(
        long = "libvirt_url",
        alias = "libvirt-url",
        value_name = "URI",
        global = true,
        hide = true
    )]
    pub(super) libvirt_url: Option<String>,

    /// Who one is to libvirt. libvirt takes that from a file.
    #[arg(long, value_name = "USER", global = true, hide = true)]
    pub(super) libvirt_user: Option<String>,

    /// The password for libvirt. libvirt takes that from a file.
    #[arg(long, value_name = "PASSWORD", global = true, hide = true)]
    pub(super) libvirt_password: Option<String>,

    /// The kind of VMs for which the init file names none.
    #[arg(
        long = "default_vm_type",
        alias = "default-vm-type",
        value_name = "TYPE",
        global = true,
        hide = true
    )]
    pub(super) default_vm_type: Option<String>,

    /// Who runs VMs for which the init file names nobody.
    #[arg(
        long = "default_vm_provider",
        alias = "default-vm-provider",
        value_name = "PROVIDER",
        global = true,
        hide = true
    )]
    pub(super) default_vm_provider: Option<String>,

    /// The password of root, of domains for which the init file names none.
    #[arg(
        long = "default_root_password",
        alias = "default-root-password",
        value_name = "PASSWORD",
        global = true,
        hide = true
    )]
    pub(super) default_root_password: Option<String>,

    /// Where it is noted which prefix uses which subnet.
    #[arg(long = "lease_dir", alias = "lease-dir", value_name = "DIR", global = true, hide = true)]
    pub(super) lease_dir: Option<PathBuf>,

    /// What Lago's oVirt plugin mirrors packages to. Nothing here does that.
    #[arg(long, value_name = "DIR", global = true, hide = true)]
    pub(super) reposync_dir: Option<PathBuf>,
}

impl LagoOptions {
    /// Refuses what would have no effect where it is counted on.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.libvirt_user.is_none() && self.libvirt_password.is_none(),
            "a user and a password for libvirt are not taken from the command line, where others see them; put them into a \
             file for libvirt (https://libvirt.org/auth.html), and name it in the URI: `?authfile=PATH`"
        );
        Ok(())
    }

    /// How long a guest may take until it answers, if the command line says so.
    pub(super) fn ssh_limit(&self, config: &Config) -> Option<Duration> {
        let is_said = self.ssh_tries.is_some() || self.ssh_timeout.is_some();
        is_said.then(|| config.ssh_limit(self.ssh_tries, self.ssh_timeout)).flatten()
    }

    /// What domains are for which the init file does not say: as the command line says, else the settings.
    pub(super) fn domain_defaults(&self, config: &Config) -> DomainDefaults {
        let set = config.domain_defaults.clone();
        DomainDefaults {
            ssh_user: self.ssh_user.clone().or(set.ssh_user),
            ssh_password: self.ssh_password.clone().or(set.ssh_password),
            root_password: self.default_root_password.clone().or(set.root_password),
            vm_type: self.default_vm_type.clone().or(set.vm_type),
            vm_provider: self.default_vm_provider.clone().or(set.vm_provider),
        }
    }
}
