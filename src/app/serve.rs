//! `relais serve`: runs a gateway until a signal or a failed journal ends it.

use crate::app::files::{self, SystemSecrets};
use crate::app::gateway::{Ended, Gateway};
use crate::app::keys;
use crate::app::output::{eprint, println};
use crate::config::{Config, LogFormat, LogLevel, limits};
use crate::engine::reader::Calls;
use crate::telemetry::{self, Metrics, log};
use crate::world::World;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// Exit status after a clean end.
pub const CLEAN: u8 = 0;
/// Exit status when the configuration or the start failed.
pub const NOT_STARTED: u8 = 2;
/// Exit status when the journal failed: start it again.
pub const FAILED: u8 = 70;
/// Exit status when the drain time was over, or a second signal came.
pub const CUT: u8 = 71;

/// Runs until ended; the exit status. The process may have `files_max` files open.
pub async fn serve(world: World, path: &Path, files_max: u64) -> u8 {
    let mut config = match files::load(path, &SystemSecrets) {
        Ok(config) => config,
        Err(mistakes) => {
            eprint(&mistakes);
            return NOT_STARTED;
        }
    };
    let form = match config.log.format {
        LogFormat::Json => telemetry::log::Form::Json,
        LogFormat::Text => telemetry::log::Form::Text,
    };
    // A log that is there already (in tests) is as good.
    let _ = log::start(level(config.log.level), form, world.clock.clone());
    for warning in &config.warnings {
        tracing::warn!("{}:{}: {warning}", path.display(), warning.line);
    }
    bound_connections(&mut config, files_max);
    if let Some(mode) = files::open_to_others(&config.data_dir) {
        tracing::warn!(mode = format!("{mode:o}"), "data_dir is open to others than the gateway's user: chmod 700 closes it");
    }
    let metrics = Metrics::new();
    log::count_panics(metrics.panics.clone());
    let gateway = match Gateway::start(world, config, metrics, Calls::Threads).await {
        Ok(gateway) => gateway,
        Err(fault) => {
            tracing::error!(%fault, "the gateway does not start");
            eprint(&format!("relais: {fault}\n"));
            return NOT_STARTED;
        }
    };
    let found = &gateway.found;
    tracing::info!(frames = found.frames, messages = found.messages, strays = found.strays, "recovered");
    for damage in &found.damage {
        tracing::error!(damage, "damage in the journal was set aside; everything else is served");
    }
    let scheme = if gateway.engine.config.http.tls.is_some() { "https" } else { "http" };
    println(&format!("listening on {scheme}://{}", gateway.http));
    wait(gateway, path).await
}

/// Leaves files for the journal, carriers and webhooks, however many connections strangers open: without one left, what was
/// accepted could not be sent, nor the next slice of the journal be made.
fn bound_connections(config: &mut Config, files_max: u64) {
    let carriers: u64 = config.carriers.iter().map(|carrier| 2 * u64::from(carrier.binds)).sum();
    let kept = limits::FILES_KEPT + carriers + config.webhooks.len() as u64;
    let room = u32::try_from(files_max.saturating_sub(kept)).unwrap_or(u32::MAX).max(1);
    let wanted = config.http.connections_max;
    if wanted > room {
        tracing::warn!(wanted, room, files_max, "fewer connections than http.connections_max: the process may not open enough files");
        config.http.connections_max = room;
    }
}

async fn wait(gateway: Gateway, path: &Path) -> u8 {
    let heard = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut term), Ok(mut interrupt), Ok(mut hangup)) = heard else {
        tracing::error!("signals cannot be heard");
        return NOT_STARTED;
    };
    let (engine, broken) = (gateway.engine.clone(), gateway.broken.clone());
    let reloads = async {
        while hangup.recv().await.is_some() {
            let (engine, path) = (engine.clone(), path.to_owned());
            // What became of it is in the log. Keys first: one that is revoked is revoked at once.
            let _ = tokio::task::spawn_blocking(move || {
                keys::reload(&engine, &path);
                engine.rules.reload(engine.world.now())
            })
            .await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
        () = reloads => {}
        () = broken.cancelled() => return FAILED,
        () = engine.failed() => {
            tracing::error!("the journal has failed: the process ends at once");
            return FAILED;
        }
    }
    tracing::info!("stopping: no new messages, windows are emptied");
    tokio::select! {
        biased;
        _ = term.recv() => CUT,
        _ = interrupt.recv() => CUT,
        ended = gateway.stop() => {
            tracing::info!(?ended, "stopped");
            match ended {
                Ended::Clean => CLEAN,
                Ended::Cut => CUT,
                Ended::Failed => FAILED,
            }
        }
    }
}

fn level(level: LogLevel) -> tracing::Level {
    match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
        LogLevel::Trace => tracing::Level::TRACE,
    }
}
