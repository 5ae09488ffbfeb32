//! What a message is at each stage of its journey, and the events that move it.
//!
//! One type per stage: `Draft` (believed by nobody) → `Composed` (size and price known) → a record in a frame
//! (durable) → `Life` (what has happened since). Events are the only way a `Life` changes, and one fold is used
//! by the live path, by recovery, by the API's timeline and by the simulator's model.

pub mod composed;
pub mod content;
pub mod erase;
pub mod event;
pub mod late;
pub mod life;
pub mod log;
pub mod outcome;
pub mod record;
pub mod skim;

pub use composed::{Composed, Extras};
pub use content::{Channel, Class, DoubtPolicy, Encoding, Reference, Spelling};
pub use event::Event;
pub use late::{LateText, Moment, Rendering};
pub use life::Life;
pub use outcome::{Reason, Status};
