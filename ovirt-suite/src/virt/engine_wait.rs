//! Waiting for an engine, within a limit that holds whatever its machine, its service and its API do.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use lago::guest::ServiceState;
use lago::utils::Deadline;

use crate::api::ApiError;
use crate::error::{Error, Result};
use crate::limits;
use crate::utils::Interrupt;

/// Of what is left of the limit, the part that a question to the API may take: the rest is for what it failed with to be told.
const OF_WHAT_IS_LEFT: f64 = 0.9;

/// An engine, as somebody sees it who waits for it.
pub trait EngineProbe: Clone + Send + 'static {
    /// What leads to its API.
    type Api: Send + 'static;

    /// The VM's name, for messages.
    fn vm_name(&self) -> &str;

    /// What its service is doing.
    fn service_state(&self) -> Result<ServiceState>;

    /// Its API, once that has answered, which it has to within this limit.
    fn answering_api(&self, limit: Duration) -> Result<Self::Api>;
}

/// What is known of an engine that is not there yet.
enum Found<A> {
    Service(ServiceState),
    NoAuthority(String),
    NoAnswer(ApiError),
    Done(Result<A>),
}

/// Waits until an engine's service runs and its API answers, and not a moment longer than this. It looks at the service again
/// each time before it asks the API, so that the error names what was missing last.
///
/// What it asks when the limit passes may still be on its way to a machine that hangs; that is left to a thread, which ends when
/// that question has reached a limit of its own.
///
/// # Errors
/// [`Error::EngineMachine`], [`Error::EngineService`], [`Error::NoAuthority`] or [`Error::EngineApi`] when the limit has passed:
/// which of them was not there. Errors that waiting does not mend, such as a wrong password, end the wait, and so does whoever
/// interrupts it.
pub fn wait_for<E: EngineProbe>(
    engine: &E,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<E::Api> {
    wait_by(engine, &Deadline::new("the engine", limit), interrupt)
}

/// As [`wait_for`], by a limit that runs already.
pub(super) fn wait_by<E: EngineProbe>(
    engine: &E,
    deadline: &Deadline,
    interrupt: &Interrupt,
) -> Result<E::Api> {
    find(engine, deadline, Looks::UntilTheEnd, interrupt)
        .unwrap_or_else(|missing| Err(missing.error(engine.vm_name(), deadline.limit())))
}

/// An engine's API, if it is there now. What it is asked has to be answered within this limit.
///
/// # Errors
/// As [`wait_for`].
pub fn look_at<E: EngineProbe>(engine: &E, limit: Duration) -> Result<E::Api> {
    let deadline = Deadline::new("the engine", limit);
    find(engine, &deadline, Looks::Once, &Interrupt::new())
        .unwrap_or_else(|missing| Err(missing.error(engine.vm_name(), Duration::ZERO)))
}

/// How often an engine is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looks {
    Once,
    UntilTheEnd,
}

/// Looks at an engine in a thread, and returns what came of it, or what was missing when nobody looks any more.
fn find<E: EngineProbe>(
    engine: &E,
    deadline: &Deadline,
    looks: Looks,
    interrupt: &Interrupt,
) -> Result<Result<E::Api>, Missing> {
    let (finds, found) = mpsc::channel();
    thread::spawn({
        let (engine, deadline) = (engine.clone(), deadline.clone());
        move || look(&engine, &deadline, looks, &finds)
    });
    let mut missing = Missing::default();
    loop {
        match found.recv_timeout(limits::INTERVAL.min(deadline.remaining())) {
            Ok(Found::Done(done)) => return Ok(done),
            Ok(Found::Service(now)) => {
                // What was said of an engine that does not run any more says nothing now.
                missing.last = missing.last.filter(|_| now == ServiceState::Active);
                missing.state = Some(now);
            }
            Ok(Found::NoAuthority(reason)) => missing.last = Some(Last::NoAuthority(reason)),
            Ok(Found::NoAnswer(error)) => missing.last = Some(Last::NoAnswer(error)),
            Err(RecvTimeoutError::Timeout) if !deadline.passed() => {
                if let Err(interrupted) = interrupt.check() {
                    return Ok(Err(interrupted));
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(missing),
        }
    }
}

/// What was missing of an engine, as far as that is known.
#[derive(Default)]
struct Missing {
    state: Option<ServiceState>,
    last: Option<Last>,
}

/// What became of the last question to an engine that runs.
enum Last {
    NoAuthority(String),
    NoAnswer(ApiError),
}

impl Missing {
    fn error(self, vm: &str, limit: Duration) -> Error {
        let vm = vm.to_owned();
        match (self.state, self.last) {
            (None, _) => Error::EngineMachine { vm, limit },
            (Some(ServiceState::Active), Some(Last::NoAuthority(reason))) => {
                Error::NoAuthority { vm, reason }
            }
            (Some(ServiceState::Active), Some(Last::NoAnswer(last))) => {
                Error::EngineApi { vm, limit, last: Some(Box::new(last)) }
            }
            (Some(ServiceState::Active), None) => Error::EngineApi { vm, limit, last: None },
            (Some(state), _) => Error::EngineService { vm, limit, state: format!("it is {state}") },
        }
    }
}

/// Looks until the engine is there, or nobody waits for it any more.
fn look<E: EngineProbe>(
    engine: &E,
    deadline: &Deadline,
    looks: Looks,
    finds: &Sender<Found<E::Api>>,
) {
    loop {
        let found = match engine.service_state() {
            Err(error) => Found::Done(Err(error)),
            Ok(state) if state != ServiceState::Active => Found::Service(state),
            Ok(active) => {
                if finds.send(Found::Service(active)).is_err() {
                    return;
                }
                ask(engine, deadline)
            }
        };
        let done = looks == Looks::Once || matches!(found, Found::Done(_));
        if finds.send(found).is_err() || done {
            return;
        }
        thread::sleep(limits::INTERVAL.min(deadline.remaining()));
    }
}

fn ask<E: EngineProbe>(engine: &E, deadline: &Deadline) -> Found<E::Api> {
    match engine.answering_api(deadline.remaining().mul_f64(OF_WHAT_IS_LEFT)) {
        Err(Error::Api(error)) if error.is_worth_waiting_for() => Found::NoAnswer(error),
        // Its authority is made by what makes the engine.
        Err(Error::NoAuthority { reason, .. }) => Found::NoAuthority(reason),
        done => Found::Done(done),
    }
}
