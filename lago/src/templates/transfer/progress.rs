//! How far a download is: a bar where somebody watches, a line now and then elsewhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracing::Span;
use tracing_indicatif::span_ext::IndicatifSpanExt as _;
use tracing_indicatif::style::ProgressStyle;

use super::state::State;

/// How often a line says how far it is.
const TELL_INTERVAL: Duration = Duration::from_secs(30);

/// The progress of the span in which the download began.
pub(super) struct Progress {
    span: Span,
    url: String,
    begun: Instant,
    before: u64,
    done: AtomicU64,
    total: Option<u64>,
    told: Mutex<Instant>,
}

impl Progress {
    pub(super) fn begin(url: &str, state: &State) -> Self {
        let (span, done, total) = (Span::current(), state.done(), state.length);
        span.pb_set_style(&style(total.is_some()));
        span.pb_set_length(total.unwrap_or(0));
        span.pb_set_position(done);
        let size = total.map_or(String::new(), |total| format!(", {}", mebibytes(total)));
        tracing::info!("fetching {url}{size}");
        let now = Instant::now();
        let (url, done, told) = (url.to_owned(), AtomicU64::new(done), Mutex::new(now));
        Self { span, url, begun: now, before: state.done(), done, total, told }
    }

    /// So many bytes came.
    pub(super) fn came(&self, count: u64) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        self.span.pb_set_position(done);
        // Another thread is telling it.
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.elapsed() < TELL_INTERVAL {
            return;
        }
        *told = Instant::now();
        let total = self.total.map_or(String::new(), |total| format!(" of {}", mebibytes(total)));
        tracing::info!("{}{total} of {} are there", mebibytes(done), self.url);
    }

    pub(super) fn end(&self, state: &State) {
        if state.is_complete() {
            let came = state.done().saturating_sub(self.before);
            tracing::debug!("fetched {came} bytes of {} in {:?}", self.url, self.begun.elapsed());
        }
    }
}

fn style(known: bool) -> ProgressStyle {
    let template = if known {
        "{span_child_prefix}{span_name:.bold} {span_fields} {bar:30.cyan} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
    } else {
        "{span_child_prefix}{spinner:.cyan} {span_name:.bold} {span_fields} {bytes} {bytes_per_sec} {elapsed}"
    };
    ProgressStyle::with_template(template).expect("the template is well formed")
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
