//! api
use crate::engine::Engine;
use std::sync::Arc;
pub async fn serve(
    _e: Arc<Engine>,
    _l: crate::world::BoxListener,
    _t: Option<crate::world::tls::Server>,
    stop: tokio_util::sync::CancellationToken,
) {
    stop.cancelled().await
}
