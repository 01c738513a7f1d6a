//! A VM from inside: the journal, services, processes, and the files that the init file names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::Folder;
use super::{ARTIFACTS, downwards, limits, processes, services};
use crate::Vm;
use crate::artifacts::{self, ANSWER_LIMIT, Access, Wanted};
use crate::utils::{Deadline, create_dir, error_chain};

/// Ends with 0 where systemd runs.
const HAS_SYSTEMD: &str = "if [ -d /run/systemd/system ]; then echo yes; fi";

/// A question to the guest's shell, and the file that takes the answer.
struct Report {
    file: &'static str,
    what: &'static str,
    script: &'static str,
}

const KERNEL: Report = Report { file: "dmesg.txt", what: "the kernel's messages", script: "dmesg" };

const JOURNAL: Report = Report {
    file: "journal.txt",
    what: "the journal since the guest booted",
    script: "journalctl --boot --no-pager --output=short-precise --lines=50000",
};

/// The first of these that there is, and its end.
const SYSLOG: Report = Report {
    file: "syslog.txt",
    what: "the system's log",
    script: "for f in /var/log/messages /var/log/syslog; do if [ -f $f ]; then tail -c 4000000 $f; exit; fi; done
echo 'there is neither /var/log/messages nor /var/log/syslog' >&2",
};

const PROCESSES: Report = Report {
    file: "processes.txt",
    what: "the processes",
    // Busybox knows fewer columns.
    script: "ps -eo pid,ppid,user,stat,pcpu,rss,etime,args 2>/dev/null || ps -o pid,ppid,user,stat,vsz,args 2>/dev/null || ps",
};

/// Where systemd's journal and other guests' logs are, when nobody can be asked for them.
const LOGS: [&str; 3] = ["/var/log/journal", "/var/log/messages", "/var/log/syslog"];

/// A file or directory that is wanted out of the guest.
struct Item {
    /// Its place, from the directory of all evidence.
    name: PathBuf,
    wanted: Wanted,
    /// Whether it is one of [`LOGS`].
    is_log: bool,
}

/// Collects what only the guest knows, by the best way into it.
pub(super) fn collect(vm: &Vm, folder: &Folder, deadline: &Deadline, since: Option<Duration>) {
    let access = Access::find(vm, ANSWER_LIMIT.min(deadline.remaining()));
    let guest = Guest { vm, access: &access, folder, deadline };
    guest.reports(since);
    guest.files();
}

struct Guest<'a> {
    vm: &'a Vm,
    access: &'a Access,
    folder: &'a Folder,
    deadline: &'a Deadline,
}

impl Guest<'_> {
    fn reports(&self, since: Option<Duration>) {
        if let Access::Disk { because, .. } = self.access {
            let name = Path::new(self.vm.name()).join("journal.txt");
            self.folder.miss(&name, "journal, services and processes", because);
            return;
        }
        let reports = match self.ask(HAS_SYSTEMD) {
            Ok(answer) if answer.starts_with(b"yes") => {
                self.services(since);
                [JOURNAL, KERNEL, PROCESSES]
            }
            _ => {
                self.started(since);
                [SYSLOG, KERNEL, PROCESSES]
            }
        };
        for report in reports {
            self.report(&report);
        }
    }

    fn report(&self, Report { file, what, script }: &Report) {
        let name = Path::new(self.vm.name()).join(file);
        match self.ask(script) {
            Ok(answer) => self.folder.write(&name, what, &answer),
            Err(why) => self.folder.miss(&name, what, why),
        }
    }

    fn services(&self, since: Option<Duration>) {
        let name = Path::new(self.vm.name()).join("services.txt");
        let what = "the services: failed ones, those that changed lately, all";
        match self.ask(services::QUESTION) {
            Ok(answer) => {
                let text = services::report(&String::from_utf8_lossy(&answer), since);
                self.folder.write(&name, what, text.as_bytes());
            }
            Err(why) => self.folder.miss(&name, what, why),
        }
    }

    /// Without systemd, the processes that started lately stand in for the services that changed.
    fn started(&self, since: Option<Duration>) {
        let name = Path::new(self.vm.name()).join("services.txt");
        let what = "when the processes started, the latest first";
        match self.ask(processes::QUESTION) {
            Ok(answer) => {
                let text = processes::report(&String::from_utf8_lossy(&answer), since);
                self.folder.write(&name, what, text.as_bytes());
            }
            Err(why) => self.folder.miss(&name, what, why),
        }
    }

    fn ask(&self, script: &str) -> Result<Vec<u8>, String> {
        self.deadline.check().map_err(|error| error.to_string())?;
        let limit = limits::GUEST_COMMAND.min(self.deadline.remaining());
        self.access.run(self.vm, script, limit)
    }

    /// Copies what the init file names; where nobody answers, also the logs that else would be asked for.
    fn files(&self) {
        let artifacts = outermost(&self.vm.spec().artifacts).into_iter();
        let mut items: Vec<_> = artifacts.map(|path| self.item(ARTIFACTS, path)).collect();
        if let Access::Disk { .. } = self.access {
            let log = |path| Item { is_log: true, ..self.item("logs", path) };
            items.extend(LOGS.map(log));
        }
        for item in &items {
            if let Some(parent) = item.wanted.local.parent() {
                // Where it cannot be made, copying says so.
                let _ = create_dir(parent);
            }
        }
        let wanted: Vec<_> = items.iter().map(|item| item.wanted.clone()).collect();
        let results = artifacts::extract(self.vm, self.access, &wanted, self.deadline);
        for (Item { name, wanted, is_log }, result) in items.iter().zip(results) {
            let what = format!("{} of the guest, {}", wanted.guest, self.access);
            let Err(error) = result else {
                self.folder.take_in(name, &what);
                continue;
            };
            self.folder.remove_empty(name, Path::new(self.vm.name()));
            // No guest has all of these.
            if !(*is_log && artifacts::is_not_there(&error)) {
                self.folder.miss(name, &what, error_chain(&error));
            }
        }
    }

    fn item(&self, below: &str, guest: &str) -> Item {
        let name = Path::new(self.vm.name()).join(below).join(downwards(guest));
        let local = self.folder.path(&name);
        Item { name, wanted: Wanted { guest: guest.to_owned(), local }, is_log: false }
    }
}

/// The paths without those that come along with another one.
fn outermost(paths: &[String]) -> Vec<&str> {
    let mut outermost: Vec<&str> = Vec::new();
    for path in paths {
        let comes_along = |outer: &&str| Path::new(path).starts_with(outer);
        if !outermost.iter().any(comes_along) {
            outermost.retain(|inner| !Path::new(inner).starts_with(path));
            outermost.push(path);
        }
    }
    outermost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_inside_of_another_is_copied_once() {
        let paths = ["/var/log/a", "/etc", "/var/log", "/var/log/b", "/etc", "/var/logs"];
        let paths = paths.map(str::to_owned);
        assert_eq!(outermost(&paths), ["/etc", "/var/log", "/var/logs"]);
    }
}
