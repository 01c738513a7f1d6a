//! Stages that run at the same time, as far as no VM is needed for it.

use lago_test::events::{RunResult, What};

use crate::run::{Fixture, Ran, is_alive, wait_until};

crate::trials![
    independent_stages_meet,
    the_command_line_wins_over_the_variable,
    results_are_shown_in_declared_order,
    endings_cost_their_own_stage_only,
    an_interrupt_ends_all_of_them,
    a_filter_holds_in_parallel_too,
];

fn assert_met(ran: &Ran) {
    assert_eq!(ran.exit_code(), Some(0), "{}{}", ran.stdout(), ran.stderr());
    assert_eq!(ran.words().len(), 5);
}

fn independent_stages_meet() {
    assert_met(&Fixture::new("meeting").args(&["--test-threads", "2"]).run());
    assert_met(&Fixture::new("meeting").env("LAGO_JOBS", "3").run());
}

fn the_command_line_wins_over_the_variable() {
    assert_met(&Fixture::new("meeting").args(&["--test-threads=2"]).env("LAGO_JOBS", "1").run());
    let apart = Fixture::new("meeting").args(&["--test-threads=1"]).env("LAGO_JOBS", "2").run();
    assert_eq!(apart.outcome("left::meets_right").word(), "failed");
    assert_eq!(apart.outcome("right::meets_left").word(), "passed", "the left one's sign is there");
}

fn results_are_shown_in_declared_order() {
    let ran = Fixture::new("meeting").args(&["--test-threads", "2"]).run();
    let stdout = ran.stdout();
    let shown: Vec<_> = stdout.lines().filter_map(|line| line.strip_prefix("test ")).collect();
    let names: Vec<_> = shown.iter().filter_map(|line| line.split(' ').next()).collect();
    let declared = [
        "deploy::install",
        "left::meets_right",
        "left::fetch",
        "right::meets_left",
        "right::fetch",
    ];
    assert_eq!(names[..5], declared, "{stdout}");
    ran.valid_junit();
}

fn endings_cost_their_own_stage_only() {
    let ran = Fixture::new("ends_side_by_side").args(&["--test-threads", "4"]).run();
    assert_eq!(ran.exit_code(), Some(101));
    let mut words = ran.words();
    words.sort_unstable();
    assert_eq!(
        words,
        [
            "deploy::install passed",
            "left::fetch blocked",
            "left::waits timed_out",
            "on_third::fetch passed",
            "right::aborts errored",
            "right::fetch blocked",
            "third::says_hello passed",
        ]
    );
}

fn an_interrupt_ends_all_of_them() {
    let running = Fixture::new("side_by_side").args(&["--test-threads", "2"]).start();
    let workers = ["left", "right"].map(|stage| {
        let log = running.wait_for(&format!("scenarios/{stage}.waits.log"), "\n");
        log.trim().strip_prefix("waiting in ").unwrap().to_owned()
    });
    assert_ne!(workers[0], workers[1]);
    running.signal("-INT");
    let ran = running.wait();
    assert_eq!(ran.exit_code(), Some(130));
    wait_until("the workers' end", || !workers.iter().any(|worker| is_alive(worker)));
    for stage in ["left", "right"] {
        assert_eq!(ran.outcome(&format!("{stage}::waits")).word(), "errored");
        assert_eq!(ran.outcome(&format!("{stage}::fetch")).word(), "not_run");
    }
    assert_eq!(ran.outcome("third::fetch").word(), "not_run");
    let last = ran.events().pop().unwrap().what;
    assert_eq!(last, What::RunFinished { result: RunResult::Interrupted, exit_code: 130 });
    ran.valid_junit();
}

fn a_filter_holds_in_parallel_too() {
    let args = ["--test-threads", "2", "third", "--skip", "on_third"];
    let ran = Fixture::new("ends_side_by_side").args(&args).run();
    assert_eq!(ran.words(), ["deploy::install passed", "third::says_hello passed"]);
}
