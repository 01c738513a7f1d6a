//! What an earlier run has left to start from.

use std::env;
use std::time::Duration;

use lago::spec::InitFile;

use super::options::{FROM, From};
use super::plan::{Plan, Shape, State};
use super::saved::{Saved, spoken_age};
use super::selection::Selection;
use crate::environment::Environment;
use crate::files::Files;
use crate::suite::Suite;
use crate::tell::tell;

/// The environment of an earlier run, and its states.
pub(super) struct Earlier {
    pub(super) environment: Environment,
    pub(super) saved: Saved,
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
        files: &Files,
        init_file: &InitFile,
    ) -> Result<Self, String> {
        let (mut earlier, hindrance) = match look(suite, shape, files, init_file) {
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
        } else if let Some(hindrance) = hindrance {
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
    files: &Files,
    init_file: &InitFile,
) -> Result<Option<Earlier>, String> {
    let Some(environment) = Environment::open(&files.prefix) else { return Ok(None) };
    let snapshots = environment.snapshots().map_err(|failure| {
        format!("the states that an earlier run saved cannot be listed ({})", failure.message())
    })?;
    let names: Vec<_> = snapshots.into_iter().map(|snapshot| snapshot.name).collect();
    let saved = Saved::of_earlier_run(suite, shape, &files.prefix, &names);
    if !saved.there().is_empty()
        && let Some(changed) = what_changed(suite, files, init_file, &environment, &saved)
    {
        return Err(format!("{changed} since states were saved, so they are not used"));
    }
    Ok(Some(Earlier { environment, saved }))
}

/// What keeps an environment from being what would be made now.
fn what_changed(
    suite: &Suite,
    files: &Files,
    init_file: &InitFile,
    environment: &Environment,
    saved: &Saved,
) -> Option<&'static str> {
    if !environment.was_made_from(init_file) {
        return Some("the init file has changed");
    }
    let (spec, key) = (suite.environment()?, saved.key()?);
    // What cannot be made now is made anew, which says why it cannot.
    let now = Environment::key_now(&spec, init_file.clone(), &files.prefix).ok().flatten();
    (now.as_ref() != Some(key)).then_some("a template, the acceleration or a program has changed")
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
pub(super) fn announcement(saved: &Saved, plan: &Plan) -> String {
    let mut states: Vec<_> = plan.needs().into_iter().collect();
    states.sort_unstable();
    let program_age = program_age();
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

/// How long ago the test program was built.
fn program_age() -> Option<Duration> {
    env::current_exe().ok()?.metadata().ok()?.modified().ok()?.elapsed().ok()
}
