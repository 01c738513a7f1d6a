//! What is being worked on: the open spans of the library, and of the coordinator's own work under limits.
//!
//! The library says what it does to the environment by spans: `start{vm=server}`, `revert{name=deploy}`. They are the
//! only source that knows the parts of a bring-up or a revert, so the live view shows those that are open, and those that
//! have ended become events.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::run::millis;
use crate::events::What;

/// Where the coordinator's own spans come from.
const COORDINATOR: &str = "lago_test";

/// Where the library's spans come from.
const LIBRARY: &str = "lago";

/// A span of the coordinator's that says in which fork everything inside it happens, by its field `fork`.
pub(super) const ON_FORK: &str = "on fork";

/// Something that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    /// What is done: the name of the library's span, or the words of the coordinator's.
    pub(super) name: String,
    pub(super) vm: Option<String>,
    /// A snapshot, a disk or a template by its name.
    pub(super) subject: Option<String>,
    pub(super) fork: Option<String>,
    /// When it is given up, if it is the coordinator's.
    pub(super) limit: Option<Duration>,
    pub(super) since: Instant,
    began: DateTime<Utc>,
    is_ours: bool,
}

impl Work {
    /// Whether the coordinator waits for it, rather than the library doing it on its own.
    pub(super) fn is_ours(&self) -> bool {
        self.is_ours
    }

    fn ended(self) -> What {
        What::WorkEnded {
            work: self.name,
            vm: self.vm,
            subject: self.subject,
            began: self.began,
            took_ms: millis(self.since.elapsed()),
            fork: self.fork,
        }
    }
}

/// What takes the events of work that has ended.
type Report = Box<dyn Fn(What) + Send>;

/// What is being worked on, and what takes note of its end.
#[derive(Clone, Default)]
pub(super) struct Works {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    open: Mutex<BTreeMap<u64, Work>>,
    report: Mutex<Option<Report>>,
    /// What ended before somebody took note.
    early: Mutex<Vec<What>>,
}

impl Works {
    /// What is open now, in the order in which it began.
    pub(super) fn open(&self) -> Vec<Work> {
        let mut open: Vec<Work> = lock(&self.shared.open).values().cloned().collect();
        open.sort_by_key(|work| work.since);
        open
    }

    /// From now on ends are reported; those that nobody took note of come first.
    pub(super) fn report_to(&self, report: impl Fn(What) + Send + 'static) {
        let mut place = lock(&self.shared.report);
        lock(&self.shared.early).drain(..).for_each(&report);
        *place = Some(Box::new(report));
    }

    /// From now on nothing is reported.
    pub(super) fn report_no_more(&self) {
        *lock(&self.shared.report) = Some(Box::new(drop));
    }

    /// Reports what was found out beside the run, unless it has ended meanwhile.
    pub(super) fn report(&self, what: What) {
        match &*lock(&self.shared.report) {
            Some(report) => report(what),
            None => lock(&self.shared.early).push(what),
        }
    }

    /// As a layer that sees the spans that it is for.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let targets = Targets::new()
            .with_target(LIBRARY, LevelFilter::INFO)
            .with_target(COORDINATOR, LevelFilter::INFO);
        self.clone().with_filter(targets)
    }
}

/// Whether a target is a crate or a module in it; a filter by targets lets pass all that begins alike.
fn is_within(target: &str, krate: &str) -> bool {
    target.strip_prefix(krate).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The fork of a span, for those inside it.
struct OnFork(Option<String>);

impl<S> Layer<S> for Works
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let inherited = span
            .parent()
            .and_then(|parent| parent.extensions().get::<OnFork>().and_then(|on| on.0.clone()));
        let fork = fields.fork.or(inherited);
        span.extensions_mut().insert(OnFork(fork.clone()));
        let target = attributes.metadata().target();
        let is_ours = is_within(target, COORDINATOR);
        if span.name() == ON_FORK || !(is_ours || is_within(target, LIBRARY)) {
            return;
        }
        let work = Work {
            name: fields.what.unwrap_or_else(|| span.name().to_owned()),
            vm: fields.vm,
            subject: fields.subject,
            fork,
            limit: fields.limit_ms.map(Duration::from_millis),
            since: Instant::now(),
            began: Utc::now(),
            is_ours,
        };
        lock(&self.shared.open).insert(id.into_u64(), work);
    }

    fn on_close(&self, id: Id, _: Context<'_, S>) {
        let ended = lock(&self.shared.open).remove(&id.into_u64());
        if let Some(work) = ended.filter(|work| !work.is_ours) {
            self.report(work.ended());
        }
    }
}

impl fmt::Debug for Works {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Works").field("open", &self.open()).finish_non_exhaustive()
    }
}

/// The fields of a span that are of interest.
#[derive(Debug, Default)]
struct Fields {
    vm: Option<String>,
    subject: Option<String>,
    fork: Option<String>,
    what: Option<String>,
    limit_ms: Option<u64>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "vm" => &mut self.vm,
            "name" | "template" => &mut self.subject,
            "fork" => &mut self.fork,
            "what" => &mut self.what,
            _ => return,
        };
        *place = Some(value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "limit_ms" {
            self.limit_ms = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// What is said about the work that `work` does, which sees what is open meanwhile.
    fn watched(work: impl FnOnce(&Works)) -> Vec<What> {
        let works = Works::default();
        let subscriber = tracing_subscriber::registry().with(works.layer());
        tracing::subscriber::with_default(subscriber, || work(&works));
        let ended = Arc::new(Mutex::new(Vec::new()));
        let place = Arc::clone(&ended);
        works.report_to(move |what| lock(&place).push(what));
        std::mem::take(&mut *lock(&ended))
    }

    fn names(works: &Works) -> Vec<String> {
        works.open().into_iter().map(|work| work.name).collect()
    }

    #[test]
    fn what_the_library_does_is_open_and_then_an_event() {
        let ended = watched(|works| {
            let _outer =
                tracing::info_span!(target: "lago::snapshot", "revert", name = "deploy").entered();
            tracing::info_span!(target: "lago::virt", "start", vm = "server").in_scope(|| {
                assert_eq!(names(works), ["revert", "start"]);
                assert_eq!(works.open()[1].vm.as_deref(), Some("server"));
            });
            tracing::debug_span!(target: "lago::virt", "detail").in_scope(|| {
                assert_eq!(names(works), ["revert"], "details and what has ended are not shown");
            });
            tracing::info_span!(target: "lago_demo", "own").in_scope(|| {
                assert_eq!(
                    names(works),
                    ["revert"],
                    "a suite's own spans are not the environment's"
                );
            });
        });
        let told: Vec<_> = ended
            .iter()
            .map(|what| match what {
                What::WorkEnded { work, vm, subject, .. } => {
                    (work.as_str(), vm.as_deref(), subject.as_deref())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [("start", Some("server"), None), ("revert", None, Some("deploy"))]);
    }

    #[test]
    fn the_coordinators_own_work_is_shown_and_is_no_event() {
        let ended = watched(|works| {
            let what = "saving the state `deploy`";
            let _span =
                tracing::info_span!(target: "lago_test", "limited", what, limit_ms = 2000_u64)
                    .entered();
            let open = works.open();
            assert_eq!((open[0].name.as_str(), open[0].is_ours()), (what, true));
            assert_eq!(open[0].limit, Some(Duration::from_secs(2)));
        });
        assert_eq!(ended, []);
    }

    #[test]
    fn what_is_done_inside_a_fork_says_so() {
        let ended = watched(|_| {
            let _fork =
                tracing::info_span!(target: "lago_test", ON_FORK, fork = "failover").entered();
            let _span = tracing::info_span!(target: "lago::snapshot", "restore").entered();
            tracing::info_span!(target: "lago::virt", "resume", vm = "server").in_scope(|| {});
        });
        let forks = ended.iter().map(|what| match what {
            What::WorkEnded { fork, .. } => fork.as_deref(),
            other => panic!("{other:?}"),
        });
        assert_eq!(forks.collect::<Vec<_>>(), [Some("failover"); 2]);
    }
}
