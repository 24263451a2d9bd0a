//! What the running program says, on standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// Lets warnings and errors be seen; `FORESAIL_LOG` asks for more (`info`, `foresail=debug`).
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("FORESAIL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start in one process changes nothing.
    let _ = subscriber.finish().try_init();
}
