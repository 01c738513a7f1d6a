//! Who is who: the key that opens all guests, a host key for each, and the seed that carries both into it.

use uuid::Uuid;

use crate::Result;
use crate::guest::keys::KeyPair;
use crate::paths::Paths;
use crate::spec::{InitFile, Plan};
use crate::sysprep::{Seed, SeedNic};
use crate::utils::{PRIVATE_MODE, parallel, write_file};

/// Makes the prefix's key pair, a host key for every VM, and a seed for each that is to be bootstrapped.
pub(super) fn make(paths: &Paths, id: Uuid, init_file: &InitFile, plan: &Plan) -> Result<()> {
    let user_key = KeyPair::generate("lago")?;
    user_key.write(&paths.ssh_key())?;
    let host_keys = parallel(&plan.vms, |vm| {
        let host_key = KeyPair::generate(&vm.name)?;
        host_key.write(&paths.host_key(&vm.name))?;
        if init_file.domains[&vm.name].bootstrap {
            let seed = Seed {
                instance_id: Uuid::new_v5(&id, vm.name.as_bytes()),
                hostname: vm.name.clone(),
                nics: vm
                    .nics
                    .iter()
                    .map(|nic| SeedNic { mac: nic.mac.clone(), management: nic.management })
                    .collect(),
                authorized_keys: vec![user_key.public().clone()],
                host_key: host_key.private().clone(),
                root_password: init_file.domains[&vm.name].root_password.clone(),
            };
            seed.write(&paths.seed(&vm.name))?;
        }
        Ok::<_, crate::Error>(format!("{} {}\n", vm.name, host_key.public_line()?))
    })?;
    let known_hosts: String = host_keys.concat();
    Ok(write_file(&paths.known_hosts(), known_hosts.as_bytes(), PRIVATE_MODE)?)
}
