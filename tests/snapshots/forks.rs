//! Forks run beside what they were made from.

use std::fs;
use std::thread;

use lago::Prefix;
use lago_system_tests::{Environment, Place, Traces};

use crate::run;

#[test]
fn forks_run_side_by_side_and_leave_nothing() {
    let place = Place::new("forks");
    let prefix = Environment::new(&place.join("prefix"), "one-vm.yaml");
    prefix.start().unwrap();
    run(&prefix, "vm0", "echo common > /dev/shm/mark");
    prefix.snapshot("common").unwrap();

    let paths: Vec<_> = (0..3).map(|number| place.join(&format!("fork-{number}"))).collect();
    let traces = Traces::before(&paths[0]);
    let forks: Vec<Prefix> = thread::scope(|scope| {
        let prefix = &prefix;
        let forking: Vec<_> =
            paths.iter().map(|path| scope.spawn(move || prefix.fork("common", path))).collect();
        forking.into_iter().map(|fork| fork.join().unwrap().unwrap()).collect()
    });
    for (number, fork) in forks.iter().enumerate() {
        assert_eq!(run(fork, "vm0", "cat /dev/shm/mark"), "common\n");
        run(
            fork,
            "vm0",
            &format!("echo {number} > /dev/shm/mark; echo {number} > /root/mark; sync"),
        );
        assert_eq!(fork.vms().next().unwrap().ip(), prefix.vms().next().unwrap().ip());
    }
    for (number, fork) in forks.iter().enumerate() {
        assert_eq!(run(fork, "vm0", "cat /dev/shm/mark"), format!("{number}\n"));
    }
    assert_eq!(run(&prefix, "vm0", "cat /dev/shm/mark; ls /root/mark 2>&1 | wc -l"), "common\n1\n");

    forks[0].revert("common").unwrap();
    assert_eq!(run(&forks[0], "vm0", "cat /dev/shm/mark"), "common\n");

    let refused = prefix.delete_snapshot("common").unwrap_err().to_string();
    assert!(refused.contains("in use by the fork"), "{refused}");
    let refused = Prefix::open(prefix.paths().prefix()).unwrap().destroy().unwrap_err().to_string();
    assert!(refused.contains("in use by the fork"), "{refused}");

    let record = prefix.paths().record();
    let whole = fs::read(&record).unwrap();
    fs::write(&record, "{").unwrap();
    let refused = Prefix::destroy_at(prefix.paths().prefix()).unwrap_err().to_string();
    assert!(refused.contains("in use by the fork"), "also one that is damaged: {refused}");
    fs::write(&record, whole).unwrap();

    for fork in forks {
        fork.destroy().unwrap();
    }
    traces.assert_none_left();
    prefix.delete_snapshot("common").unwrap();
    assert_eq!(run(&prefix, "vm0", "cat /dev/shm/mark"), "common\n");
}
