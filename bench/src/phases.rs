//! Where the time goes in the library: how long its spans were open.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tracing::Subscriber;
use tracing::span::{Attributes, Id};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::samples::Samples;

static CLOSED: Mutex<Vec<(&'static str, f64)>> = Mutex::new(Vec::new());

/// Takes note of the spans that close.
pub(crate) struct Watch;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watch {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Instant::now());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(began) = span.extensions().get::<Instant>() {
            let mut closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
            closed.push((span.name(), began.elapsed().as_secs_f64()));
        }
    }
}

/// The spans of these names over several runs of the same thing.
#[derive(Debug)]
pub(crate) struct Phases {
    names: &'static [&'static str],
    samples: Vec<Samples>,
}

impl Phases {
    /// Forgets what was before.
    pub(crate) fn new(names: &'static [&'static str]) -> Self {
        CLOSED.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Self { names, samples: vec![Samples::default(); names.len()] }
    }

    /// Adds what has been closed since the last time.
    pub(crate) fn collect(&mut self) {
        let closed = std::mem::take(&mut *CLOSED.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, samples) in self.names.iter().zip(&mut self.samples) {
            let named = closed.iter().filter(|(closed, _)| closed == name);
            named.for_each(|(_, seconds)| samples.push(*seconds));
        }
    }

    /// The median of each that there was, for a note.
    pub(crate) fn show(&self) -> String {
        let shown = self.names.iter().zip(&self.samples).filter(|(_, s)| !s.median().is_nan());
        let shown = shown.map(|(name, s)| format!("{name} {:.0} ms", s.median() * 1e3));
        shown.collect::<Vec<_>>().join(", ")
    }
}
