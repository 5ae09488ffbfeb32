//! Starting the engine: the journal is recovered, each message put where it was, and the threads begin.

use crate::base::{MessageId, Span, Time};
use crate::config::{self, Config};
use crate::directory::Consent;
use crate::directory::judge::{Judge, Jury, Law};
use crate::directory::{Keyring, Keys};
use crate::engine::batches::Batches;
use crate::engine::courier::Courier;
use crate::engine::driver::{self, Endpoint};
use crate::engine::erasures::Erasures;
use crate::engine::gate::Gate;
use crate::engine::handle::{Engine, REVIVAL_NOTE, WriterNotes};
use crate::engine::hook;
use crate::engine::ids::Ids;
use crate::engine::mailbox::Mailbox;
use crate::engine::people::{self, Ears};
use crate::engine::reader::{Calls, Reader, Shelf};
use crate::engine::recover::{Found, restore};
use crate::engine::rules::{ReadRules, Rules};
use crate::engine::shard::{self, Core, Line, Slot, Surroundings, ToShard};
use crate::engine::slot::{Slot0, slot};
use crate::engine::stops::Stops;
use crate::engine::tail::Tail;
use crate::engine::writer::{NotDurable, ToWriter, Writer, WriterState};
use crate::message::Class;
use crate::pipeline::desk::Revival;
use crate::pipeline::journal::Grouping;
use crate::pipeline::schedule::clock::ClockWatch;
use crate::pipeline::webhook::notes::cursor_key;
use crate::storage::{Archive, FrameHead, Journal, Recovered, StoreFault};
use crate::telemetry::Metrics;
use crate::wire::smpp::pdu::BindKind;
use crate::world::{Entropy64, Finished, World, tls};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// Letters to the writer at once. Requests are bounded by octets before; this bounds the shards' turns and notes.
const WRITER_LETTERS: usize = 1 << 16;

/// Letters to a shard that may be refused (cancellations, inspections).
const SHARD_LETTERS: usize = 1 << 14;

/// Rows and octets of the log kept in memory for the webhooks.
const TAIL_ROWS: usize = 16_384;
const TAIL_BYTES: usize = 64 << 20;

/// What the first note of a life may take before the rest begins.
const KEPT_WAIT: Span = Span::secs(5);

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// It is an old copy, or not the one that ran last.
    #[error(
        "the journal in the data directory ends at position {found}, and the one that ran last had reached {reached}: an old copy was put \
         back, or the disk is not mounted; it would send again what was sent since (docs/operations.md)"
    )]
    OldCopy {
        /// Where it ends.
        found: u64,
        /// Where it had been.
        reached: u64,
    },
    /// A file named in the configuration.
    #[error("{what}: {why}")]
    File {
        /// The key.
        what: String,
        /// What is wrong.
        why: String,
    },
    /// The send windows, or what an account says of them.
    #[error("{0}")]
    Rules(String),
}

/// What runs: to be joined at the end.
pub struct Running {
    /// The handle.
    pub engine: Arc<Engine>,
    /// The writer and the shards, by name.
    pub parts: Vec<(String, Finished)>,
    /// The couriers.
    pub couriers: tokio::task::JoinSet<()>,
    /// Stops the couriers.
    pub stop_couriers: CancellationToken,
    /// What recovery found, for the log.
    pub recovered: Found,
}

/// Reads the files named in the configuration (CA files).
pub type ReadFile<'a> = &'a dyn Fn(&std::path::Path) -> std::io::Result<Vec<u8>>;

/// How files named in the configuration are read.
pub struct Files<'a> {
    /// CA files.
    pub read: ReadFile<'a>,
    /// Rules and time zones; without it there are those in the program.
    pub rules: Option<ReadRules>,
    /// How far the journal had come when it was last heard of; 0 when nobody knows.
    pub reached: u64,
}

impl<'a> Files<'a> {
    /// With the rules in the program.
    #[must_use]
    pub fn plain(read: ReadFile<'a>) -> Files<'a> {
        Files { read, rules: None, reached: 0 }
    }
}

/// The watch over the clock, that has looked once.
fn watch(world: &World, config: &Config) -> ClockWatch {
    let mut watch = ClockWatch::new(config.engine.clock_settle);
    watch.look(world.now(), world.mono());
    watch
}

/// Makes the judge of a carrier's desk, from the law of the configuration.
pub type MakeJury<'a> = &'a dyn Fn(&Arc<Law>) -> Box<dyn Jury>;

/// Starts everything but the HTTP interface, under the law of the configuration.
///
/// # Errors
/// When the journal cannot be opened or a file of the configuration cannot be used.
pub async fn start(
    world: World,
    config: Arc<Config>,
    journal: Box<dyn Journal>,
    metrics: Arc<Metrics>,
    calls: Calls,
    files: Files<'_>,
) -> Result<Running, StartFault> {
    start_under(world, config, journal, metrics, calls, files, &|law| Box::new(Judge::new(law.clone()))).await
}

/// The same, each carrier's desk with a judge of this making.
///
/// # Errors
/// As `start`.
pub async fn start_under(
    world: World,
    config: Arc<Config>,
    mut journal: Box<dyn Journal>,
    metrics: Arc<Metrics>,
    calls: Calls,
    files: Files<'_>,
    jury: MakeJury<'_>,
) -> Result<Running, StartFault> {
    let recovered = recover(journal.as_mut(), files.reached)?;
    let archive = journal.archive();
    let shard_count = shards(&config);
    let (batches, ids) = (Arc::new(Batches::default()), Arc::new(Ids::new(config.node, recovered.last_id)));
    let writer_box = Arc::new(Mailbox::new(WRITER_LETTERS));
    let boxes: Vec<Arc<Mailbox<ToShard>>> = (0..shard_count).map(|_| Arc::new(Mailbox::new(SHARD_LETTERS))).collect();
    let shard_of: HashMap<String, usize> =
        config.carriers.iter().enumerate().map(|(index, carrier)| (carrier.name.clone(), index % shard_count)).collect();
    let tail = Arc::new(Tail::new(recovered.last_seq, TAIL_ROWS, TAIL_BYTES));
    let shelf = Arc::new(Shelf::new(usize::try_from(config.journal.frame_cache_bytes).unwrap_or(usize::MAX)));
    let reader = Reader::new(archive.clone(), shelf.clone(), calls);
    let state = Arc::new(WriterState { seq: recovered.last_seq.into(), ..WriterState::default() });

    let seed = world.entropy.next_u64();
    let consent = Arc::new(people::load(&config, &recovered, archive.as_ref(), &metrics)?);
    let ears = Ears::new(consent.clone(), &config);
    let rules = begin(&config, files.rules, (&consent, &metrics), (&recovered, archive.as_ref()), (&writer_box, world.now()))?;
    let mut slots = Vec::new();
    let gate = Arc::new(Gate::new(config.carriers.len(), u64::from(config.engine.ahead_max), u64::from(config.engine.accept_min)));
    for (index, carrier) in config.carriers.iter().enumerate() {
        slots.push(slot(carrier, &config, &metrics, (&gate, index), seed, jury(&rules.law), &state));
    }
    let kept = first_words(&world, &config, &recovered, archive.as_ref(), &mut slots, &writer_box)?;
    let found = restore(&world, &config, &recovered, archive.as_ref(), &mut slots, &batches, (&ids, &ears))?;

    // Before anybody can ask: what is not there any more.
    let erasures = Arc::new(Erasures::load(&config, archive.as_ref())?);
    let queue_pieces = u32::try_from(config.http.journal_queue_bytes_max / 1_024).unwrap_or(u32::MAX >> 3).clamp(16, u32::MAX >> 3);
    let mut engine = Engine {
        world: world.clone(),
        config: config.clone(),
        metrics: metrics.clone(),
        keys: Keyring::new(Keys::new(&config.accounts, &config.pepper)),
        rules,
        ids: ids.clone(),
        batches: batches.clone(),
        consent: consent.clone(),
        reader: reader.clone(),
        stops: Arc::new(Stops::load(archive.as_ref())?),
        archive,
        erasures: erasures.clone(),
        tail: tail.clone(),
        couriers: Vec::new(),
        writer: writer_box.clone(),
        shards: boxes.clone(),
        shard_of: shard_of.clone(),
        state: state.clone(),
        gate,
        queue: Arc::new(Semaphore::new(queue_pieces as usize)),
        queue_pieces,
        is_draining: AtomicBool::new(false),
        watch: Mutex::new(watch(&world, &config)),
    };
    let mut parts = Vec::new();
    let writer = Writer {
        world: world.clone(),
        journal,
        grouping: Grouping::new(config.node, recovered.last_seq, recovered.last_id, u32::from(config.journal.frame_messages_max)),
        inbox: writer_box.clone(),
        shards: boxes.clone(),
        shard_of: shard_of.clone(),
        tail: tail.clone(),
        shelf,
        batches: batches.clone(),
        state,
        metrics: metrics.clone(),
        tick: config.journal.tick,
        commit_bytes_max: usize::try_from(config.journal.commit_bytes_max).unwrap_or(usize::MAX),
        erasures,
        consent,
        stops: engine.stops.clone(),
        caps: engine.rules.law.caps.clone(),
        weights: config.accounts.iter().map(|account| (account.name.clone(), u32::from(account.weight))).collect(),
    };
    parts.push(begin_writing(&world, writer, kept).await);
    let mut by_shard: Vec<Vec<(Slot0, Vec<Endpoint>)>> = (0..shard_count).map(|_| Vec::new()).collect();
    for (index, (slot, carrier)) in slots.into_iter().zip(&config.carriers).enumerate() {
        let endpoints = vec![endpoint(carrier, files.read)?; slot.kinds.len()];
        by_shard[index % shard_count].push((slot, endpoints));
    }
    let around = |inbox: &Arc<Mailbox<ToShard>>| Surroundings {
        inbox: inbox.clone(),
        writer: writer_box.clone(),
        batches: batches.clone(),
        ids: ids.clone(),
        ears: ears.clone(),
        clock_settle: config.engine.clock_settle,
        clock_events: metrics.clock_events.clone(),
    };
    for (index, slots) in by_shard.into_iter().enumerate() {
        let name = format!("shard-{index}");
        let part = shard_part(world.clone(), index, slots, around(&boxes[index]), reader.clone());
        parts.push((name.clone(), world.start.start(&name, part)));
    }
    let stop_couriers = CancellationToken::new();
    let couriers = couriers(&mut engine, &stop_couriers)?;
    Ok(Running { engine: Arc::new(engine), parts, couriers, stop_couriers, recovered: found })
}

/// The rules that were in use, those that are now, and what was sent for as long as they ask for it.
fn begin(
    config: &Config,
    read: Option<ReadRules>,
    (consent, metrics): (&Arc<Consent>, &Metrics),
    (recovered, archive): (&Recovered, &dyn Archive),
    (writer, now): (&Arc<Mailbox<ToWriter>>, Time),
) -> Result<Rules, StartFault> {
    let rules = Rules::new(config, consent.clone(), metrics.ending_tables.clone(), writer.clone());
    rules.recall(config, recovered, archive, now)?;
    if let Some(read) = read {
        rules.read_by(read);
        rules.begin(now).map_err(StartFault::Rules)?;
    }
    people::load_caps(config, recovered, archive, &rules.law, now, writer)?;
    Ok(rules)
}

/// Starts the couriers, one an endpoint, on a thread of their own: beside the HTTP interface they would wait behind
/// every bulk that is being read, and a flood of new messages would silence the webhooks.
fn couriers(engine: &mut Engine, stop: &CancellationToken) -> Result<tokio::task::JoinSet<()>, StartFault> {
    let (config, world) = (engine.config.clone(), engine.world.clone());
    let mut made = Vec::new();
    for webhook in &config.webhooks {
        let settings = hook::Settings::new(webhook, &config.webhook_rules)
            .map_err(|fault| StartFault::File { what: format!("webhooks.{}", webhook.name), why: fault.to_string() })?;
        let told_after = Some(engine.metrics.endpoint(&webhook.name).final_to_webhook.clone());
        let stats = Arc::new(hook::CourierStats { told_after, ..hook::CourierStats::default() });
        engine.couriers.push((webhook.name.clone(), stats.clone()));
        let client = tls::Client::new(None).map_err(|why| StartFault::File { what: "TLS".into(), why: why.to_string() })?;
        let notes = Arc::new(WriterNotes(engine.writer.clone()));
        let courier = Courier::new(settings, world.clone(), client, engine.reader.clone(), engine.tail.clone(), notes, stats);
        made.push(courier);
    }
    let mut couriers = tokio::task::JoinSet::new();
    if !made.is_empty() {
        let stop = stop.clone();
        let part = move || {
            Box::pin(async move {
                let mut running = tokio::task::JoinSet::new();
                made.into_iter().for_each(|courier| drop(running.spawn_local(courier.run(stop.clone()))));
                while let Some(ended) = running.join_next().await {
                    assert!(ended.is_ok(), "a courier has panicked");
                }
            }) as crate::world::LocalFuture
        };
        let finished = world.start.start("couriers", Box::new(part));
        couriers.spawn(async move { assert!(finished.await.is_ok(), "the couriers have panicked") });
    }
    Ok(couriers)
}

/// Opens the journal, if it is the one that ran last.
fn recover(journal: &mut dyn Journal, reached: u64) -> Result<Recovered, StartFault> {
    let recovered = journal.recover()?;
    let found = recovered.last_seq;
    if found < reached { Err(StartFault::OldCopy { found, reached }) } else { Ok(recovered) }
}

fn shards(config: &Config) -> usize {
    let wanted = match config.engine.shards {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        n => usize::from(n),
    };
    wanted.clamp(1, 16).min(config.carriers.len().max(1))
}

fn endpoint(carrier: &config::Carrier, read_file: ReadFile<'_>) -> Result<Endpoint, StartFault> {
    let tls = match &carrier.tls {
        None => None,
        Some(tls) => {
            let fault = |why: std::io::Error| StartFault::File { what: format!("carriers.{}.tls", carrier.name), why: why.to_string() };
            let pem = tls.ca_file.as_ref().map(|path| read_file(path)).transpose().map_err(fault)?;
            let client = tls::Client::new(pem.as_deref()).map_err(fault)?;
            Some((client, tls.server_name.clone().unwrap_or_else(|| carrier.host.clone())))
        }
    };
    Ok(Endpoint {
        host: carrier.host.clone(),
        port: carrier.port,
        tls,
        bind_timeout: carrier.bind_timeout,
        reconnect_min: carrier.reconnect_min,
        reconnect_max: carrier.reconnect_max,
    })
}

/// Whether advertising waits for a person: the journal's last record is old, or it waited when the last process ended.
fn revival(world: &World, config: &Config, recovered: &Recovered, archive: &dyn Archive) -> Result<Revival, StoreFault> {
    let hold = config.engine.revival_hold;
    if hold == Span::ZERO {
        return Ok(Revival::Over);
    }
    let is_advertising = |head: &FrameHead| Class::from_priority(head.lane.priority) == Class::Marketing;
    let was_away = recovered.last_at.is_some_and(|last| world.now().since(last) >= hold) && recovered.open.iter().any(is_advertising);
    let waited = !archive.notes(REVIVAL_NOTE)?.is_empty();
    if was_away || waited {
        tracing::warn!("the gateway was away for long: advertising waits until it is released");
        return Ok(Revival::Held);
    }
    Ok(Revival::Over)
}

/// Posts what must be on disk before anything else of this life; tells when it is.
fn first_words(
    world: &World,
    config: &Config,
    recovered: &Recovered,
    archive: &dyn Archive,
    slots: &mut [Slot0],
    writer: &Mailbox<ToWriter>,
) -> Result<Vec<Kept>, StoreFault> {
    let advertising = hold_advertising(revival(world, config, recovered, archive)?, slots, writer);
    Ok(advertising.into_iter().chain(begin_endpoints(config, recovered, archive, writer)?).collect())
}

/// Webhooks that are new begin here. Were that not on disk before the first event of this life, a process that dies early would
/// leave them to begin at the next start, behind events they are owed (INV-24).
fn begin_endpoints(
    config: &Config,
    recovered: &Recovered,
    archive: &dyn Archive,
    writer: &Mailbox<ToWriter>,
) -> Result<Option<Kept>, StoreFault> {
    let mut notes = Vec::new();
    for webhook in &config.webhooks {
        let key = cursor_key(&webhook.name);
        if archive.notes(&key)?.is_empty() {
            notes.push((key, Some(recovered.last_seq.to_le_bytes().to_vec())));
        }
    }
    if notes.is_empty() {
        return Ok(None);
    }
    let (reply, kept) = tokio::sync::oneshot::channel();
    writer.force(ToWriter::Notes { notes, reply });
    Ok(Some(kept))
}

/// Has advertising wait, also after another restart; tells when that is on disk.
fn hold_advertising(revival: Revival, slots: &mut [Slot0], writer: &Mailbox<ToWriter>) -> Option<Kept> {
    if revival == Revival::Over {
        return None;
    }
    slots.iter_mut().for_each(|slot| slot.desk.hold_advertising());
    let (reply, kept) = tokio::sync::oneshot::channel();
    writer.force(ToWriter::Notes { notes: vec![(REVIVAL_NOTE.into(), Some(vec![1]))], reply });
    Some(kept)
}

/// An answer of the writer.
type Kept = tokio::sync::oneshot::Receiver<Result<(), NotDurable>>;

/// Starts the journal's thread, and waits for these notes before anything else can be written. Of advertising: rows of this life make the journal
/// young, and notes are in a file of their own. Dead between the two, the next start would find neither a long absence nor
/// the note, and let advertising go. A disk without room keeps nobody from starting: the note is then the next thing written,
/// whenever that is.
async fn begin_writing(world: &World, writer: Writer, kept: Vec<Kept>) -> (String, Finished) {
    let part = world.start.start("journal", Box::new(move || Box::pin(writer.run())));
    for kept in kept {
        let _ = tokio::time::timeout(KEPT_WAIT.std(), kept).await;
    }
    ("journal".to_owned(), part)
}

fn shard_part(
    world: World,
    index: usize,
    slots: Vec<(Slot0, Vec<Endpoint>)>,
    around: Surroundings,
    reader: Reader,
) -> Box<dyn FnOnce() -> crate::world::LocalFuture + Send> {
    Box::new(move || {
        Box::pin(async move {
            let inbox = around.inbox.clone();
            let (mut owned, mut endpoints, mut heard) = (Vec::new(), Vec::new(), Vec::new());
            for (slot, of_slot) in slots {
                let line = |kind: &BindKind| Line {
                    kind: *kind,
                    session: None,
                    era: 0,
                    wake: Rc::new(Notify::new()),
                    last_over: None,
                    must_close: false,
                    closes: Time(i64::MAX),
                };
                let lines = slot.kinds.iter().map(line).collect();
                let Slot0 { desk, profile, reporter, handsets, heard: of_parts, .. } = slot;
                heard.extend(of_parts);
                owned.push(Slot { desk, profile, lines, reporter, learnt: None, handsets });
                endpoints.push(of_slot);
            }
            let mut core = Core::new(world, index, owned, around);
            heard.into_iter().for_each(|ear| core.heard_before(ear));
            let core = Rc::new(RefCell::new(core));
            let mut drivers = tokio::task::JoinSet::new();
            for (slot, of_slot) in endpoints.into_iter().enumerate() {
                for (line, endpoint) in of_slot.into_iter().enumerate() {
                    drivers.spawn_local(driver::drive(core.clone(), slot, line, endpoint));
                }
            }
            let fetch = move |first: MessageId| {
                let (reader, inbox) = (reader.clone(), inbox.clone());
                async move {
                    match reader.frames(&[first]).await {
                        Ok(frames) if !frames.is_empty() => frames.into_iter().for_each(|(_, frame)| inbox.force(ToShard::Fetched(frame))),
                        other => {
                            if let Err(fault) = other {
                                tracing::error!(%fault, "a frame cannot be read; it will be tried again");
                            }
                            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                            inbox.force(ToShard::NotFetched(first));
                        }
                    }
                }
            };
            shard::run(core, fetch, drivers).await;
        })
    })
}
