//! What a shard is told and asked. Apart from the shard, because the writer tells it what is durable while the shard
//! posts its turns to the writer: neither needs the other.

use crate::base::{BatchId, MessageId, MessageRef};
use crate::message::event::Moved;
use crate::storage::{Frame, FrameHead};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A durable frame for its desk.
pub struct Load {
    /// What it is.
    pub head: FrameHead,
    /// Its messages, when they are still in memory.
    pub body: Option<Arc<Frame>>,
    /// The account's share.
    pub weight: u32,
}

/// A letter to a shard.
pub enum ToShard {
    /// Messages to send.
    Load(Load),
    /// A turn is durable.
    Committed(u64),
    /// A frame that was asked for.
    Fetched(Arc<Frame>),
    /// A frame that could not be read now.
    NotFetched(MessageId),
    /// Messages of a frame were erased in the journal.
    Erased(Arc<Frame>),
    /// Cancel one message, if it has not left.
    Cancel { carrier: String, at: MessageRef, reply: oneshot::Sender<bool> },
    /// Cancel what has not left of a bulk.
    CancelBatch { batch: BatchId, reply: oneshot::Sender<u32> },
    /// Give one message another instant before which it will not go or until which it lives, if it has not left.
    Reschedule { carrier: String, at: MessageRef, moved: Moved, reply: oneshot::Sender<bool> },
    /// Let advertising go that waited for a person.
    Release(oneshot::Sender<u32>),
    /// Tell how the carriers stand.
    Inspect(oneshot::Sender<Vec<CarrierView>>),
    /// Drain, unbind, end.
    Stop,
}

/// How a carrier stands, for the API.
#[derive(Clone, Debug)]
pub struct CarrierView {
    /// Its name.
    pub carrier: String,
    /// Links by state.
    pub links: Vec<(&'static str, &'static str)>,
    /// Running totals.
    pub counts: crate::pipeline::desk::Counts,
    /// What stands now.
    pub gauges: crate::pipeline::desk::effects::Gauges,
    /// Messages neither leased nor final.
    pub waiting: u64,
    /// The id form in use, and matches under each form.
    pub form: (Option<usize>, [u32; crate::channel::session::FORMS_MAX]),
}
