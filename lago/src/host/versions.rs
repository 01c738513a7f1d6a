//! Which programs and which processor the domains of a private host get.

use std::path::PathBuf;

use super::doctor::{EMULATORS, System};
use crate::utils::{CommandError, HostCommand};

/// The lines of `/proc/cpuinfo` that say what a guest sees of the processor.
const PROCESSOR_LINES: [&str; 6] =
    ["model name", "flags", "CPU implementer", "CPU part", "Features", "features"];

/// What QEMU says about itself.
///
/// # Errors
/// When it is not there or does not run.
pub fn emulator() -> Result<String, CommandError> {
    ask(emulator_program())
}

/// The machine types that QEMU has.
///
/// # Errors
/// When it is not there or does not run.
pub(crate) fn machine_types() -> Result<Vec<String>, CommandError> {
    let output = HostCommand::new(emulator_program()).args(["-machine", "help"]).run()?;
    // After a heading, each line has a type, and what it is.
    let lines = output.stdout_text();
    let types = lines.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    Ok(types.map(str::to_owned).collect())
}

fn emulator_program() -> PathBuf {
    let system = System::this();
    let found = EMULATORS.iter().find_map(|name| system.program(name));
    found.unwrap_or_else(|| PathBuf::from(EMULATORS[0]))
}

/// What libvirt's daemon says about itself.
///
/// # Errors
/// When it is not there or does not run.
pub fn libvirt() -> Result<String, CommandError> {
    let name = "libvirtd";
    ask(System::this().program(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// The processor and the kernel, as far as a guest under KVM has to do with them.
pub(crate) fn processor() -> String {
    let system = System::this();
    let kernel = system.read("/proc/sys/kernel/osrelease");
    describe(&system.read("/proc/cpuinfo"), &kernel)
}

fn describe(cpuinfo: &str, kernel: &str) -> String {
    let first = cpuinfo.split("\n\n").next().unwrap_or_default();
    let told = first
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim(), value.trim()))
        .filter(|(name, _)| PROCESSOR_LINES.contains(name));
    let kernel = ("kernel", kernel.trim());
    let lines: Vec<_> =
        told.chain([kernel]).map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("\n")
}

fn ask(program: PathBuf) -> Result<String, CommandError> {
    let output = HostCommand::new(program).arg("--version").run()?;
    Ok(output.stdout_text().lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn what_changes_from_moment_to_moment_is_left_out() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A Processor\ncpu MHz\t\t: 2400.1\n\
                       flags\t\t: fpu vmx\n\nprocessor\t: 1\nmodel name\t: A Processor\n";
        assert_eq!(
            describe(cpuinfo, "6.1.0\n"),
            "model name: A Processor\nflags: fpu vmx\nkernel: 6.1.0"
        );
    }
}
