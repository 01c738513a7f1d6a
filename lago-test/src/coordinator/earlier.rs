//! What an earlier run has left to start from.

use std::time::SystemTime;

use lago::cache::Key;
use lago::spec::InitFile;

use super::executable::Executable;
use super::interrupts::Interrupts;
use super::limited::Limited;
use super::options::{FROM, From};
use super::plan::{Plan, Shape, State};
use super::saved::Saved;
use super::selection::Selection;
use crate::duration::spoken_age;
use crate::environment::Environment;
use crate::files::Files;
use crate::result::Failure;
use crate::suite::Suite;
use crate::tell::tell;

/// The environment of an earlier run, and its states.
pub(super) struct Earlier {
    pub(super) environment: Environment,
    pub(super) saved: Saved,
}

/// Where to look for what an earlier run has left, what would be made there now, and what ends the search.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) files: &'a Files,
    pub(super) init_file: &'a InitFile,
    /// Whether each scenario runs in a process of its own, of which none sees that the others make their states anew.
    pub(super) each_alone: bool,
    /// The test program. States that an older one made are of no use where each scenario runs alone.
    pub(super) executable: &'a Executable,
    pub(super) interrupts: &'a Interrupts,
}

/// Where a run starts, and what it does from there.
pub(super) struct Ground {
    pub(super) plan: Plan,
    /// None when the environment is made anew.
    pub(super) earlier: Option<Earlier>,
}

impl Ground {
    /// Everything is made anew.
    pub(super) fn afresh(selection: &Selection) -> Self {
        Self { plan: selection.plan(|_| false), earlier: None }
    }

    /// Starts from saved states as far as they are there, and makes everything anew when they do not suffice. What is
    /// in the way of a start that the user wants is an error.
    pub(super) fn find(
        suite: &Suite,
        shape: &Shape,
        selection: &Selection,
        from: Option<From>,
        place: Place<'_>,
    ) -> Result<Self, String> {
        let (mut earlier, hindrance) = match look(suite, shape, from, place) {
            Ok(earlier) => (earlier, None),
            Err(hindrance) => (None, Some(hindrance)),
        };
        let has = |state| earlier.as_ref().is_some_and(|earlier| earlier.saved.has(state));
        let plan = selection.plan(has);
        let missing = plan.needs().into_iter().find(|&state| !has(state) || !plan.keeps(state));
        if let Some(From::Stage(stage)) = from {
            let wanted = State::After(stage);
            if let Some(missing) = (!has(wanted)).then_some(wanted).or(missing) {
                return Err(not_there(suite, shape, stage, missing, earlier.as_ref(), hindrance));
            }
        } else if let Some(hindrance) = hindrance
            && place.interrupts.signal().is_none()
        {
            tell(format_args!("{hindrance}; the environment is made anew"));
        }
        if missing.is_some() {
            return Ok(Self::afresh(selection));
        }
        if let Some(earlier) = &mut earlier {
            earlier.saved.retain(|state| plan.keeps(state));
        }
        Ok(Self { plan, earlier })
    }
}

/// What an earlier run has left, or why it is of no use.
fn look(
    suite: &Suite,
    shape: &Shape,
    from: Option<From>,
    place: Place<'_>,
) -> Result<Option<Earlier>, String> {
    let Place { files, init_file, each_alone, executable, interrupts } = place;
    let prefix = files.prefix.clone();
    // Opening finishes what a killed process has begun.
    let limited = Limited {
        what: "opening the environment of an earlier run",
        limit: suite.bring_up_limit(),
        interrupts: Some(interrupts),
        cut_off: || Ok(()),
    };
    let opened = limited.run(move || {
        let Some(environment) = Environment::open(&prefix)? else { return Ok(None) };
        let snapshots = environment.snapshots().map_err(|failure| {
            failure.context("the states that an earlier run saved cannot be listed")
        })?;
        Ok(Some((environment, snapshots)))
    });
    let opened = opened.map_err(|failure| on_one_line(&failure))?;
    let Some((environment, snapshots)) = opened else { return Ok(None) };
    let names: Vec<_> = snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
    let mut saved = Saved::of_earlier_run(suite, shape, &files.prefix, &names);
    if !saved.there().is_empty()
        && let Some(changed) = what_changed(suite, files, init_file, &environment, &saved)
    {
        return Err(changed);
    }
    if each_alone && let Some(built) = executable.built() {
        let fit = [Some(State::Start), from.and_then(From::state)].into_iter().flatten();
        let fit: Vec<_> = fit.map(|state| saved.name(state).to_owned()).collect();
        let taken = snapshots.iter().map(|snapshot| Taken {
            name: &snapshot.name,
            on: snapshot.parent.as_deref(),
            at: snapshot.created,
        });
        let outdated = outdated(taken, built, &fit);
        let outdated: Vec<_> = outdated.iter().filter_map(|name| saved.by_name(name)).collect();
        saved.retain(|state| !outdated.contains(&state));
    }
    Ok(Some(Earlier { environment, saved }))
}

/// A snapshot, as far as its age goes.
struct Taken<'a> {
    name: &'a str,
    /// The one that it stands on.
    on: Option<&'a str>,
    at: SystemTime,
}

/// The snapshots that an older test program made, and those that stand on them; without those that are `fit` at any
/// age. Each is given after the one that it stands on.
fn outdated<'a>(
    snapshots: impl Iterator<Item = Taken<'a>>,
    built: SystemTime,
    fit: &[String],
) -> Vec<&'a str> {
    let mut outdated = Vec::new();
    for Taken { name, on, at } in snapshots {
        let stands_on_one = on.is_some_and(|on| outdated.contains(&on));
        if (at < built || stands_on_one) && !fit.iter().any(|fit| fit == name) {
            outdated.push(name);
        }
    }
    outdated
}

fn on_one_line(failure: &Failure) -> String {
    std::iter::once(failure.message())
        .chain(failure.causes().iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(": ")
}

/// What keeps an environment from being what would be made now, if anything does.
fn what_changed(
    suite: &Suite,
    files: &Files,
    init_file: &InitFile,
    environment: &Environment,
    saved: &Saved,
) -> Option<String> {
    if !environment.was_made_from(init_file) {
        return Some(not_used("the init file has changed"));
    }
    let spec = suite.environment()?;
    let now = Environment::key_now(&spec, init_file.clone(), &files.prefix);
    difference(saved.key(), now, files.is_later_part())
}

/// What tells an environment from the one that would be made now, by what they are made of. `same_run` says that another
/// process of this very run has looked already.
fn difference(made: Option<&Key>, now: Result<Key, String>, same_run: bool) -> Option<String> {
    match (made, now) {
        (Some(made), Ok(now)) if *made == now => None,
        (Some(_), Ok(_)) => {
            Some(not_used("a template, a file, the acceleration or a program has changed"))
        }
        // The first process has used no earlier states for the same reason, so this run has made those that are there.
        (None, _) if same_run => None,
        (None, Ok(_)) => Some(nobody_knows("it is not recorded what the environment was made of")),
        (_, Err(reason)) => Some(nobody_knows(&reason)),
    }
}

fn not_used(changed: &str) -> String {
    format!("{changed} since states were saved, so they are not used")
}

fn nobody_knows(reason: &str) -> String {
    let reason = reason.trim_end().replace('\n', ": ");
    format!("saved states are not used, as nobody can tell whether they are outdated: {reason}")
}

/// Why a run cannot start where the user wants it to.
fn not_there(
    suite: &Suite,
    shape: &Shape,
    stage: usize,
    missing: State,
    earlier: Option<&Earlier>,
    hindrance: Option<String>,
) -> String {
    let names = Saved::nothing(suite, shape);
    let there = earlier.map(|earlier| earlier.saved.there().join(", ")).unwrap_or_default();
    let there = match (hindrance, there.is_empty()) {
        (Some(hindrance), _) => hindrance,
        (None, true) => "no run has saved one that fits this suite".to_owned(),
        (None, false) => format!("those that are there: {there}"),
    };
    format!(
        "{FROM}={}: the state `{}` is not there; {there}",
        suite.stages()[stage].name(),
        names.name(missing)
    )
}

/// What a person is told about the states that are used.
pub(super) fn announcement(saved: &Saved, plan: &Plan, executable: &Executable) -> String {
    let mut states: Vec<_> = plan.needs().into_iter().collect();
    states.sort_unstable();
    let program_age = executable.built().and_then(|built| built.elapsed().ok());
    let told = states.into_iter().map(|state| {
        let age = saved.age(state).unwrap_or_default();
        let outdated = program_age.is_some_and(|program_age| program_age < age);
        let outdated = if outdated { ", older than the test program" } else { "" };
        format!("`{}` ({} old{outdated})", saved.name(state), spoken_age(age))
    });
    let told: Vec<_> = told.collect();
    format!(
        "starting from what an earlier run saved: {}; {FROM}=start starts afresh",
        told.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn states_of_which_nobody_knows_are_as_outdated_as_others() {
        let key = |letter: &str| -> Key {
            serde_json::from_value(serde_json::Value::from(letter.repeat(64))).unwrap()
        };
        let told =
            |made: Option<Key>, now: Result<Key, String>| difference(made.as_ref(), now, false);
        assert_eq!(told(Some(key("a")), Ok(key("a"))), None);
        let changed = told(Some(key("a")), Ok(key("b"))).unwrap();
        assert!(changed.contains("has changed since states were saved"), "{changed}");
        let in_use = || Err("disk root of VM vm0 is the file itself".to_owned());
        for made in [None, Some(key("a"))] {
            let unknown = told(made, in_use()).unwrap();
            assert!(
                unknown.ends_with("outdated: disk root of VM vm0 is the file itself"),
                "{unknown}"
            );
        }
        assert!(told(None, Ok(key("a"))).unwrap().contains("it is not recorded"));
        assert_eq!(difference(None, in_use(), true), None);
        assert!(difference(Some(&key("a")), Ok(key("b")), true).is_some());
    }

    #[test]
    fn what_stands_on_an_outdated_snapshot_is_outdated_too() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let taken = |name, on, seconds| Taken { name, on, at: at(seconds) };
        let snapshots = || {
            [
                taken("start", None, 1),
                taken("deploy", Some("start"), 2),
                taken("before.serve.fetch", Some("deploy"), 9),
                taken("failover", Some("start"), 8),
            ]
            .into_iter()
        };
        let start = "start".to_owned();
        let found = outdated(snapshots(), at(5), std::slice::from_ref(&start));
        assert_eq!(found, ["deploy", "before.serve.fetch"]);
        let found = outdated(snapshots(), at(5), &[start, "deploy".to_owned()]);
        assert!(found.is_empty(), "{found:?}");
    }
}
