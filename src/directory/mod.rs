//! What the gateway knows about the world its customers live in: words, and later accounts, routes and consent.

pub mod keywords;
