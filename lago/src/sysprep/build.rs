//! The `build` steps of disks: runs of virt-customize (<https://libguestfs.org/virt-customize.1.html>).

mod key;

use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;

pub(crate) use key::build_key;

use super::SysprepError;
use super::libguestfs::{self, Program, Staging};
use crate::host::Acceleration;
use crate::spec::{BuildStep, Input, Split};
use crate::templates::ImageFormat;

/// How long one `build` step may take. It may install packages over a slow line, on an emulated processor.
pub const BUILD_LIMIT: Duration = Duration::from_secs(2 * 3600);

/// The option which, without an argument, stands for the key of the prefix. What is built serves many prefixes, and each
/// gives its own key to its guests.
const SSH_INJECT: &str = "ssh-inject";

/// Options that say whether files get new SELinux labels.
const RELABEL: [&str; 2] = ["selinux-relabel", "no-selinux-relabel"];

/// Whether the steps ask for the key of the prefix.
pub(crate) fn asks_for_own_key(steps: &[BuildStep]) -> bool {
    steps.iter().any(|step| {
        let BuildStep::VirtCustomize(options) = step;
        options.get(SSH_INJECT).is_some_and(Vec::is_empty)
    })
}

/// Takes the steps on a disk, one after the other. What they read besides the user's files is in a directory in `scratch`.
///
/// # Errors
/// When libguestfs is not installed, or a step fails. The disk may have been changed in part then.
pub(crate) fn run(
    disk: &Path,
    steps: &[BuildStep],
    acceleration: Acceleration,
    scratch: &Path,
) -> Result<(), SysprepError> {
    libguestfs::require()?;
    let format = ImageFormat::of_file(disk)?;
    for (number, BuildStep::VirtCustomize(options)) in steps.iter().enumerate() {
        let _span = tracing::info_span!("build", step = number + 1, of = steps.len()).entered();
        let mut staging = Staging::new_in(scratch)?;
        let arguments = arguments(options, &mut staging)?;
        if arguments.is_empty() {
            continue;
        }
        tracing::info!("virt-customize {}", options.keys().cloned().collect::<Vec<_>>().join(", "));
        libguestfs::run(&Program {
            name: "virt-customize",
            arguments: &arguments,
            disk,
            format,
            directory: staging.path(),
            acceleration,
            limit: BUILD_LIMIT,
        })?;
    }
    Ok(())
}

/// The arguments of one step. Passwords go into files.
fn arguments(
    options: &IndexMap<String, Vec<String>>,
    staging: &mut Staging,
) -> Result<Vec<String>, SysprepError> {
    let mut arguments = Vec::new();
    for (option, values) in options {
        if option == SSH_INJECT && values.is_empty() {
            continue;
        }
        if values.is_empty() {
            arguments.push(format!("--{option}"));
        }
        for value in values {
            arguments.extend([format!("--{option}"), without_secret(option, value, staging)?]);
        }
    }
    let relabels = RELABEL.iter().any(|option| options.contains_key(*option));
    if !arguments.is_empty() && !relabels {
        arguments.push("--selinux-relabel".to_owned());
    }
    Ok(arguments)
}

fn without_secret(
    option: &str,
    value: &str,
    staging: &mut Staging,
) -> Result<String, SysprepError> {
    let split = Split::of(option, value);
    if split.input != Input::Secret {
        return Ok(value.to_owned());
    }
    let before = split.before.strip_suffix("password:").unwrap_or(split.before);
    Ok(format!("{before}file:{}", staging.add(split.value.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::InitFile;

    fn steps(options: &str) -> Vec<BuildStep> {
        let text = format!(
            "domains:\n  web:\n    disks:\n      - type: template\n        template_name: debian\n        \
             build:\n          - virt-customize:\n{options}"
        );
        let file = InitFile::parse(&text, Path::new("/suite/LagoInitFile")).unwrap();
        file.domains["web"].disks[0].build.clone()
    }

    fn shown(options: &str) -> String {
        let [BuildStep::VirtCustomize(options)] = &steps(options)[..] else { panic!("one step") };
        let scratch = tempfile::tempdir().unwrap();
        let mut staging = Staging::new_in(scratch.path()).unwrap();
        arguments(options, &mut staging).unwrap().join("\n")
    }

    #[test]
    fn a_step_is_options_in_their_order_with_files_and_without_passwords() {
        let text = shown(
            "              upload: ['files/motd:/etc/motd', '/abs:/root/b']\n              \
             run: deploy.sh\n              \
             root-password: 'locked:password:geheim'\n              \
             password: 'me:password:streng'\n              \
             update:\n              \
             run-command: 'echo \"a b\" > /root/c'\n",
        );
        insta::assert_snapshot!(text, @r#"
        --upload
        /suite/files/motd:/etc/motd
        --upload
        /abs:/root/b
        --run
        /suite/deploy.sh
        --root-password
        locked:file:0
        --password
        me:file:1
        --update
        --run-command
        echo "a b" > /root/c
        --selinux-relabel
        "#);
    }

    #[test]
    fn the_key_of_the_prefix_is_not_part_of_a_step() {
        let own = "              ssh-inject: ''\n";
        assert_eq!(shown(own), "");
        assert!(asks_for_own_key(&steps(own)));
        let other = "              ssh-inject: 'root:string:ssh-ed25519 AAAA me'\n";
        assert!(shown(other).starts_with("--ssh-inject\nroot:string:ssh-ed25519 AAAA me"));
        assert!(!asks_for_own_key(&steps(other)));
    }
}
