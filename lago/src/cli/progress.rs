//! What a person sees while a verb works: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_indicatif::IndicatifLayer;
use tracing_indicatif::style::ProgressStyle;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::utils::PrefixLog;

/// One line a span: what is being done, to what, for how long.
fn style() -> ProgressStyle {
    ProgressStyle::with_template(
        "{span_child_prefix}{spinner:.cyan} {span_name:.bold} {span_fields} {elapsed}",
    )
    .expect("the template is well formed")
}

/// Sends events to stderr at `level` (`LAGO_LOG` overrides it with a filter of tracing's), shows the open spans
/// as bars when stderr is a terminal, and writes to the log.
pub(super) fn install(level: LevelFilter, without_warnings: bool, log: &PrefixLog) {
    let filter = || {
        EnvFilter::try_from_env("LAGO_LOG")
            .unwrap_or_else(|_| EnvFilter::new(format!("lago={level},lago_test={level}")))
    };
    let wanted = || filter_fn(move |event| !without_warnings || *event.level() != Level::WARN);
    if std::io::stderr().is_terminal() {
        let bars = IndicatifLayer::new().with_progress_style(style());
        let lines = fmt::layer()
            .with_writer(bars.get_stderr_writer())
            .without_time()
            .with_target(false)
            .with_filter(filter())
            .with_filter(wanted());
        tracing_subscriber::registry()
            .with(lines)
            .with(bars.with_filter(EnvFilter::new("lago=info")))
            .with(log.layer())
            .init();
    } else {
        let lines = fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .with_target(false)
            .with_filter(filter())
            .with_filter(wanted());
        tracing_subscriber::registry().with(lines).with(log.layer()).init();
    }
}
