//! The kinds of faults, by name.

use serde::Deserialize;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All connections of a carrier are reset.
    Cut,
    /// One connection, to anybody, is cut at an octet.
    CutAtByte,
    /// Nothing reaches a carrier or comes back, and nobody is told.
    Hold,
    /// The same in one direction of one connection.
    HoldWay,
    /// A carrier refuses connections, and those that are there are reset.
    Refuse,
    /// Latencies and pieces of everything change.
    Weather,
    /// The gateway is killed: what it wrote arrives.
    Kill,
    /// Its machine loses power: what was under way is lost, also a commit without its sync.
    Power,
    /// It is told to stop, drains, and starts again.
    Term,
    /// The same, and it is killed meanwhile.
    TermKill,
    /// The disk is full for a while.
    Full,
    /// Syncs are slow for a while.
    Slow,
    /// A sync fails; what it was to write is there afterwards or not.
    Broken,
    /// A carrier changes its habits for a while: storms of refusals, silence, garbage, unbinds.
    Mood,
    /// A webhook fails, hangs, drips or closes for a while.
    Sink,
    /// The wall clock of the gateway's machine is set, by a second or a year, or gains; it may come right again or not.
    Clock,
    /// Rules and time zones are replaced by others.
    Rules,
}

impl Kind {
    /// Those that are drawn alike for every life; the others are drawn beside them (`Scenario::widen`).
    pub const USUAL: [Kind; 15] = [
        Kind::Cut,
        Kind::CutAtByte,
        Kind::Hold,
        Kind::HoldWay,
        Kind::Refuse,
        Kind::Weather,
        Kind::Kill,
        Kind::Power,
        Kind::Term,
        Kind::TermKill,
        Kind::Full,
        Kind::Slow,
        Kind::Broken,
        Kind::Mood,
        Kind::Sink,
    ];

    /// Whether it strikes the disk.
    #[must_use]
    pub const fn is_of_disk(self) -> bool {
        matches!(self, Kind::Full | Kind::Slow | Kind::Broken)
    }

    /// Whether the process ends.
    #[must_use]
    pub const fn ends_process(self) -> bool {
        matches!(self, Kind::Kill | Kind::Power | Kind::Term | Kind::TermKill | Kind::Broken)
    }

    /// Its name in the log.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Cut => "cut",
            Kind::CutAtByte => "cut_at_byte",
            Kind::Hold => "hold",
            Kind::HoldWay => "hold_way",
            Kind::Refuse => "refuse",
            Kind::Weather => "weather",
            Kind::Kill => "kill",
            Kind::Power => "power",
            Kind::Term => "term",
            Kind::TermKill => "term_kill",
            Kind::Full => "full",
            Kind::Slow => "slow",
            Kind::Broken => "broken",
            Kind::Mood => "mood",
            Kind::Sink => "sink",
            Kind::Clock => "clock",
            Kind::Rules => "rules",
        }
    }
}
