//! stub
pub(crate) async fn beside(_: &relais::world::World, _: u64, _: u64, _: super::stage::Directory) -> anyhow::Result<bool> {
    Ok(false)
}
