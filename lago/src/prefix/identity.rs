//! Who is who: the key that opens all guests, a host key for each, and how each guest is given both; the passwords of
//! displays.

use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indexmap::IndexMap;
use ipnet::Ipv6Net;
use ssh_key::rand_core::{OsRng, RngCore as _};
use uuid::Uuid;

use super::disks::{self, MadeDisks};
use super::remote::{self, is_remote};
use super::{PrefixError, layers};
use crate::Result;
use crate::guest::keys::{self, KeyPair};
use crate::host::Acceleration;
use crate::paths::Paths;
use crate::spec::{
    Domain, Graphics, InitFile, NetKind, Plan, PlannedNic, PlannedVm, SysprepBackend,
};
use crate::sysprep::{
    self, Modification, Seed, SeedIp6, SeedNic, add_ssh_key, asks_for_own_key, initiator_name,
    set_ssh_host_key,
};
use crate::templates::Metadata;
use crate::utils::{PRIVATE_MODE, create_dir, error_chain, parallel, write_file};

/// The key in a template's metadata that says how its guests are given their identity.
pub(super) const METADATA_KEY: &str = "sysprep";

/// How many bytes the password of a display is made of. They become eight letters, and VNC looks at no more.
const VNC_PASSWORD_BYTES: usize = 6;

/// The key in the metadata of Lago's templates that says which partition has the guest's files.
pub(super) const LAGO_KEY: &str = "root-partition";

/// The identities of the guests of a prefix.
pub(super) struct Identities {
    user_key: KeyPair,
    /// Of each VM, in the order of the plan.
    seeds: IndexMap<String, Seed>,
}

impl Identities {
    /// Makes the prefix's key pair, a host key for every VM and a password for every display, and writes them down.
    pub(super) fn make(paths: &Paths, id: Uuid, init_file: &InitFile, plan: &Plan) -> Result<Self> {
        let user_key = KeyPair::generate("lago")?;
        user_key.write(&paths.ssh_key())?;
        let remote = init_file.domains.iter().filter(|(_, domain)| is_remote(domain));
        let theirs = parallel(remote, |(vm, domain)| {
            let line = format!("{}\n", keys::line(&remote::host_key(vm, domain)?)?);
            write_file(&paths.host_key_pub(vm), line.as_bytes(), PRIVATE_MODE)?;
            Ok::<_, crate::Error>(format!("{vm} {line}"))
        })?;
        let ours = plan.vms.iter().filter(|vm| !is_remote(&init_file.domains[&vm.name]));
        let made = parallel(ours, |vm| {
            let host_key = KeyPair::generate(&vm.name)?;
            host_key.write(&paths.host_key(&vm.name))?;
            let known_host = format!("{} {}\n", vm.name, host_key.public_line()?);
            let domain = &init_file.domains[&vm.name];
            if domain.graphics == Graphics::Vnc {
                write_vnc_password(&paths.vnc_password(&vm.name))?;
            }
            let seed = seed(id, plan, vm, domain, &user_key, &host_key);
            Ok::<_, crate::Error>((known_host, seed))
        })?;
        let (known_hosts, seeds): (Vec<String>, Vec<Seed>) = made.into_iter().unzip();
        let known_hosts = [known_hosts, theirs].concat().concat();
        write_file(&paths.known_hosts(), known_hosts.as_bytes(), PRIVATE_MODE)?;
        let seeds: IndexMap<String, Seed> =
            seeds.into_iter().map(|seed| (seed.hostname.clone(), seed)).collect();
        for (vm, seed) in &seeds {
            if init_file.domains[vm].bootstrap {
                seed.validate()?;
            }
        }
        Ok(Self { user_key, seeds })
    }

    /// Gives every guest its identity: a seed, which becomes its last disk, or changes of its first disk.
    pub(super) fn give(
        &self,
        paths: &Paths,
        init_file: &InitFile,
        acceleration: Acceleration,
        mut made: MadeDisks,
    ) -> Result<layers::Disks> {
        let mut changes = Vec::new();
        let mut of_lago = Vec::new();
        for (vm, domain) in init_file.domains.iter().filter(|(_, domain)| !is_remote(domain)) {
            match backend(domain, &made, vm)? {
                Some(SysprepBackend::Seed) if is_of_lago(domain, made.metadata.get(vm)) => {
                    of_lago.push((vm.as_str(), 0, self.seeds[vm].modifications()?));
                }
                Some(SysprepBackend::Seed) => self.give_seed(paths, &mut made, vm)?,
                Some(SysprepBackend::Libguestfs) => {
                    changes.push((vm.as_str(), 0, self.seeds[vm].modifications()?));
                }
                None => changes.extend(self.way_in(vm, domain)),
            }
        }
        change(paths, &made.disks, &changes, acceleration)?;
        for of_lago in of_lago {
            let vm = of_lago.0;
            if let Err(error) = change(paths, &made.disks, &[of_lago], acceleration) {
                tracing::warn!(
                    "the image of VM {vm} was made for Lago, and cannot be changed as Lago does it: {}; it gets a seed",
                    error_chain(&error)
                );
                self.give_seed(paths, &mut made, vm)?;
            }
        }
        Ok(made.disks)
    }

    fn give_seed(&self, paths: &Paths, made: &mut MadeDisks, vm: &str) -> Result<()> {
        self.seeds[vm].write(&paths.seed(vm))?;
        let seed = disks::seed_image(paths, vm, &made.disks[vm]);
        made.disks[vm].push(seed);
        Ok(())
    }

    /// A guest without an identity whose `build` steps ask for the key of the prefix: that lets us in, and the host key lets us
    /// know where.
    fn way_in<'a>(&self, vm: &'a str, domain: &'a Domain) -> Vec<Change<'a>> {
        let asking = domain.disks.iter().enumerate();
        let asking = asking.filter(|(_, disk)| asks_for_own_key(&disk.build));
        let keys = |number| {
            let user_key = self.user_key.public().clone();
            let host_key = self.seeds[vm].host_key.clone();
            (vm, number, vec![add_ssh_key(user_key), set_ssh_host_key(host_key)])
        };
        asking.map(|(number, _)| keys(number)).collect()
    }
}

/// Has libguestfs change disks, as many at once as there are processors: each has a machine that keeps one busy.
fn change(
    paths: &Paths,
    disks: &layers::Disks,
    changes: &[Change<'_>],
    acceleration: Acceleration,
) -> Result<()> {
    let at_once = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    for some in changes.chunks(at_once) {
        parallel(some, |(vm, number, modifications)| {
            let disk = &disks[*vm][*number];
            let path = paths.prefix().join(&disk.path);
            let applied = sysprep::apply(&path, modifications, acceleration, &paths.images());
            applied.map_err(|source| PrefixError::Disk {
                vm: (*vm).to_owned(),
                disk: disk.dev.clone(),
                source: Box::new(source),
            })
        })?;
    }
    Ok(())
}

/// A VM, the number of one of its disks, and what is to be changed on that.
type Change<'a> = (&'a str, usize, Vec<Modification>);

fn seed(
    id: Uuid,
    plan: &Plan,
    vm: &PlannedVm,
    domain: &Domain,
    user_key: &KeyPair,
    host_key: &KeyPair,
) -> Seed {
    Seed {
        instance_id: Uuid::new_v5(&id, vm.name.as_bytes()),
        hostname: vm.name.clone(),
        nics: vm.nics.iter().map(|nic| seed_nic(plan, nic)).collect(),
        authorized_keys: vec![user_key.public().clone()],
        host_key: host_key.private().clone(),
        root_password: domain.root_password.clone(),
        iscsi_initiator_name: initiator_name(&vm.name),
        selinux: domain.selinux,
    }
}

/// Whether a guest starts from an image that was made for Lago and says nothing of seeds: it names the partition on which
/// Lago changed its files. Whether its ssh server takes the host key that is put there, nobody knows.
pub(super) fn is_of_lago(domain: &Domain, metadata: Option<&Metadata>) -> bool {
    let has = |key| metadata.is_some_and(|metadata| metadata.contains_key(key));
    domain.bootstrap && domain.sysprep.is_none() && has(LAGO_KEY) && !has(METADATA_KEY)
}

/// How a guest is given its identity: as the init file says, or its template, or by a seed; or not at all.
fn backend(
    domain: &Domain,
    made: &MadeDisks,
    vm: &str,
) -> Result<Option<SysprepBackend>, PrefixError> {
    if !domain.bootstrap {
        return Ok(None);
    }
    let said = made.metadata.get(vm).and_then(|metadata| metadata.get(METADATA_KEY));
    let backend = match (domain.sysprep, said) {
        (Some(backend), _) => backend,
        (None, None) => SysprepBackend::Seed,
        (None, Some(said)) => {
            let backend = serde_json::from_value(said.clone());
            backend.map_err(|_| PrefixError::Unsupported {
                vm: vm.to_owned(),
                what: format!("the metadata of its template say `{METADATA_KEY}: {said}`"),
                instead: "write `sysprep: seed`, `libguestfs` or `none` into the init file",
            })?
        }
    };
    if backend == SysprepBackend::Libguestfs
        && made.disks[vm].first().is_none_or(|disk| !disk.is_writable())
    {
        return Err(PrefixError::Unsupported {
            vm: vm.to_owned(),
            what: "it is to be given its identity on its first disk (`sysprep: libguestfs`), and that is no disk that can be \
                   written to"
                .to_owned(),
            instead: "let the disk with its system be the first, or write `sysprep: seed`",
        });
    }
    Ok(Some(backend))
}

fn seed_nic(plan: &Plan, nic: &PlannedNic) -> SeedNic {
    let ip6 = nic.ip6.and_then(|address| {
        let net = plan.net(&nic.net)?;
        let ipv6 = net.ipv6?;
        let has_gateway = nic.management && net.kind == NetKind::Nat;
        Some(SeedIp6 {
            address: Ipv6Net::new_assert(address, ipv6.subnet.prefix_len()),
            gateway: has_gateway.then_some(ipv6.gateway),
        })
    });
    let net = plan.net(&nic.net).filter(|net| net.kind == NetKind::Nat);
    let domain = net.and_then(|net| net.domain.clone());
    SeedNic { mac: nic.mac.clone(), management: nic.management, ip6, domain }
}

/// A random password, in letters that people can type.
fn write_vnc_password(path: &Path) -> Result<()> {
    if let Some(directory) = path.parent() {
        create_dir(directory)?;
    }
    let mut random = [0; VNC_PASSWORD_BYTES];
    OsRng.fill_bytes(&mut random);
    let password = URL_SAFE_NO_PAD.encode(random);
    Ok(write_file(path, format!("{password}\n").as_bytes(), PRIVATE_MODE)?)
}
