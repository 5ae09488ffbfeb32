//! demo
#[derive(clap::Args, Clone, Debug)]
pub struct Demo {}
pub async fn run(_w: crate::world::World, _d: Demo) -> anyhow::Result<u8> { Ok(0) }
