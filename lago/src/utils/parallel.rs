//! Blocking work on several VMs at once.
//!
//! Each call has a rayon pool of its own: the global one has as many threads as CPUs, where this work waits for guests.
//! The pool's threads take items from a queue of ours, and not as rayon's jobs: a thread that waits for a nested call
//! takes up another job of its pool meanwhile, which deadlocks as soon as both want the same lock.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use rayon::ThreadPoolBuilder;
use tracing::{Span, dispatcher};

use super::Failures;

/// The most threads that one call of [`parallel`] starts; further items wait for a free one.
///
/// A thread is cheap and mostly waits for a guest, so this only bounds an init file with hundreds of VMs, which would
/// overrun the limits on processes and open files of a plain user.
pub const MAX_THREADS: usize = 64;

/// Calls `work` on every item, each on a thread of its own (at most [`MAX_THREADS`] at a time), and returns the results in
/// the order of the items. Where the system gives no threads, they are done one after the other.
///
/// The threads are in the caller's tracing span. All items are worked on even when one fails.
///
/// # Errors
/// Every error, in the order of the items.
///
/// # Panics
/// With a panic of `work`, after all threads have ended.
///
/// ```
/// let doubled = lago::utils::parallel([1, 2, 3], |n| Ok::<_, std::io::Error>(2 * n)).unwrap();
/// assert_eq!(doubled, [2, 4, 6]);
/// ```
/// The items can be calls themselves, each another one:
///
/// ```
/// # use lago::utils::parallel;
/// let calls: Vec<Box<dyn FnOnce() -> std::io::Result<usize> + Send>> =
///     vec![Box::new(|| Ok(1)), Box::new(|| std::fs::read_to_string("/proc/version").map(|text| text.len()))];
/// assert_eq!(parallel(calls, |call| call()).unwrap().len(), 2);
/// ```
#[doc(alias("invoke_in_parallel", "func_vector", "VectorThread"))]
pub fn parallel<I, T, E>(
    items: I,
    work: impl Fn(I::Item) -> Result<T, E> + Sync,
) -> Result<Vec<T>, Failures<E>>
where
    I: IntoIterator,
    I::Item: Send,
    T: Send,
    E: Error + Send + Sync + 'static,
{
    let items: Vec<I::Item> = items.into_iter().collect();
    in_order(run(items, &work))
}

/// The results with the positions of their items.
type Finished<T, E> = Vec<(usize, Result<T, E>)>;

fn run<J: Send, T: Send, E: Send>(
    items: Vec<J>,
    work: &(impl Fn(J) -> Result<T, E> + Sync),
) -> Finished<T, E> {
    let threads = items.len().min(MAX_THREADS);
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let span = Span::current();
    let subscriber = dispatcher::get_default(Clone::clone);
    let worker = || {
        dispatcher::with_default(&subscriber, || {
            let _entered = span.enter();
            let mut finished = Vec::new();
            while let Some((position, item)) = next() {
                finished.push((position, work(item)));
            }
            finished
        })
    };
    if threads < 2 {
        return worker();
    }
    match ThreadPoolBuilder::new().num_threads(threads).build() {
        Ok(pool) => pool.broadcast(|_| worker()).into_iter().flatten().collect(),
        Err(error) => {
            tracing::debug!("working on one item after the other: {error}");
            worker()
        }
    }
}

fn in_order<T, E>(mut finished: Finished<T, E>) -> Result<Vec<T>, Failures<E>>
where
    E: Error + Send + Sync + 'static,
{
    finished.sort_by_key(|(position, _)| *position);
    let mut values = Vec::with_capacity(finished.len());
    let mut failures: Option<Failures<E>> = None;
    for (_, result) in finished {
        match (result, &mut failures) {
            (Ok(value), _) => values.push(value),
            (Err(error), None) => failures = Some(Failures { first: error, others: Vec::new() }),
            (Err(error), Some(failures)) => failures.others.push(error.into()),
        }
    }
    failures.map_or(Ok(values), Err)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_item_has_a_thread_whatever_the_number_of_cpus() {
        let all_here = Barrier::new(16);
        let results = parallel(0..16, |n| {
            all_here.wait();
            Ok::<_, io::Error>(n)
        });
        assert_eq!(results.unwrap(), (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn more_items_than_threads_are_all_done_in_order() {
        let count = 3 * MAX_THREADS + 1;
        let results = parallel(0..count, Ok::<_, io::Error>).unwrap();
        assert_eq!(results, (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn no_items_are_no_work() {
        let results = parallel(Vec::<u8>::new(), Ok::<_, io::Error>).unwrap();
        assert!(results.is_empty());
    }

    #[test]
    fn all_errors_are_kept_and_the_other_items_are_worked_on() {
        let done = AtomicUsize::new(0);
        let failures = parallel(0..6, |n| {
            done.fetch_add(1, Ordering::Relaxed);
            if n % 2 == 1 { Err(io::Error::other(format!("vm{n} failed"))) } else { Ok(()) }
        })
        .unwrap_err();
        assert_eq!(done.load(Ordering::Relaxed), 6);
        assert_eq!(
            failures.to_string(),
            "vm1 failed\nand 2 more failures:\n- vm3 failed\n- vm5 failed"
        );
    }

    #[test]
    fn a_panic_reaches_the_caller_after_the_others_have_ended() {
        let done = AtomicUsize::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            parallel(0..4, |n| {
                assert_ne!(n, 1, "item one is broken");
                done.fetch_add(1, Ordering::Relaxed);
                Ok::<_, io::Error>(())
            })
        }));
        let payload = caught.unwrap_err();
        assert!(payload.downcast_ref::<String>().unwrap().contains("item one is broken"));
        assert_eq!(done.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn the_threads_are_in_the_span_of_the_caller() {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("starting");
            let _entered = span.enter();
            let ids = parallel(0..3, |_| Ok::<_, io::Error>(Span::current().id())).unwrap();
            assert!(span.id().is_some());
            assert_eq!(ids, vec![span.id(); 3]);
        });
    }

    #[test]
    fn nested_calls_that_share_a_lock_do_not_deadlock() {
        let lock = Mutex::new(0);
        parallel(0..2 * MAX_THREADS, |_| {
            let mut sum = lock.lock().unwrap();
            *sum += parallel(0..2, Ok::<i32, io::Error>).unwrap().len();
            Ok::<_, io::Error>(())
        })
        .unwrap();
        assert_eq!(*lock.lock().unwrap(), 4 * MAX_THREADS);
    }
}
