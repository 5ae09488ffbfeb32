//! `POST /v1/batches`: a list of any length, read as it arrives. Lines are believed or refused each by itself; what is
//! gathered is staged in the journal, commit by commit, and lives only with the last one. Whatever goes wrong before,
//! nothing of it is ever sent (INV-7).

use crate::api::caller::Caller;
use crate::api::explain::{Wanted, dry_run, explain};
use crate::api::once::{self, Given, Once};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::replay;
use crate::api::reply::{Reply, with};
use crate::api::results::Results;
use crate::api::single::{settled, unsettled};
use crate::api::state::Api;
use crate::api::upload::{Upload, media};
use crate::api::wait::Wait;
use crate::base::{BatchId, MessageId, Mono, Time};
use crate::config::Scope;
use crate::engine::{Engine, Refused, Taken, WhenFull};
use crate::pipeline::accept::inflate::After;
use crate::pipeline::accept::{Bringing, BulkReader, Coding, Defaults, Inflate, Item, Refusal, Source};
use crate::pipeline::intake::sender::Arrival;
use crate::pipeline::intake::{Admitted, Intake, Sink};
use crate::pipeline::journal::{Acceptance, Drafts, Slot};
use crate::storage::BatchRow;
use axum::extract::Request;
use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderValue};
use std::collections::VecDeque;
use std::sync::Arc;

/// Frames' worth of messages after which they are handed to the journal.
const CHUNK_FRAMES: u32 = 8;
/// Or so many octets.
const CHUNK_BYTES: usize = 1 << 20;
/// Chunks on their way to the disk at once.
const FLIGHT_MAX: usize = 4;
/// Octets of a message in a list, about, and the most messages a list pays for at the door: its first chunk.
const MESSAGE_GUESS: u64 = 200;
const CHUNK_GUESS: u64 = 16_384;
/// A refused list of up to so many octets is read to its end, so that its connection stays.
const DISCARD_BYTES: u64 = 4 << 20;
/// What the reading of one counts for at least: also of one that does not announce its length.
const REFUSAL_BYTES_MIN: u64 = 64 << 10;
/// Octets after which others get their turn on this thread: about a quarter of a millisecond of work.
const TURN_BYTES: usize = 32 << 10;

/// Accepts a list.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    let (is_dry, pairs) = dry_run(query::read(request.uri().query())?).map_err(|problem| caller.refused(problem))?;
    let on = api.clone();
    let work = async move {
        if is_dry {
            return explain(&api, &caller, request, Wanted::List, pairs).await;
        }
        bring(&api, &caller, request, pairs).await.map_err(|problem| caller.refused(problem))
    };
    match &on.readers {
        Some(pool) => pool.run(work).await,
        None => work.await,
    }
}

async fn bring(api: &Arc<Api>, caller: &Caller, request: Request, pairs: Vec<(String, String)>) -> Result<Reply, Problem> {
    api.engine.readiness()?;
    let (format, coding) = media(request.headers())?;
    let defaults = Defaults::from_pairs(pairs.iter().map(|(name, value)| (&**name, &**value)))?;
    let once = Once::begin(api, caller, request.headers()).await?;
    let hash = once.as_ref().map(|_| once::hash(&request));
    let bytes_max = api.config().http.bulk_bytes_max;
    let mut upload = Upload::new(api, request.into_body(), bytes_max, hash)?;
    if let Some(once) = once.as_ref().filter(|once| once.is_answered()) {
        return again(api, upload, once).await;
    }
    caller.may_bring(api.engine.world.mono())?;
    let paid = CHUNK_GUESS.min(upload.announced() / MESSAGE_GUESS) as u32;
    if let Err(refused) = api.engine.enter(Bringing::Bulk, paid).await {
        api.engine.refuse(upload.announced().clamp(REFUSAL_BYTES_MIN, DISCARD_BYTES)).await;
        let is_whole = upload.discard(DISCARD_BYTES).await;
        let mut reply = caller.refused(refused.into()).reply();
        if !is_whole {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        return Ok(reply);
    }
    let bulk = Bulk::new(api, caller, BulkReader::new(format, defaults, api.bulk_limits()), paid);
    let inflate = if coding == Coding::Identity { None } else { Some(api.inflate(coding, bytes_max)?) };
    Box::pin(bulk.run(upload, inflate, once)).await
}

/// A list that was answered already: read for its hash alone.
async fn again(api: &Arc<Api>, mut upload: Upload, once: &Once) -> Result<Reply, Problem> {
    while upload.next().await?.is_some() {
        tokio::task::yield_now().await;
    }
    match once.answered(upload.hash())? {
        Some(Given::Batch { id }) => Ok(once::replayed(replay::batch(api, id).await?)),
        _ => Err(Problem::not_found()),
    }
}

/// Gives a staged list up unless it was sealed: also when the caller goes away in the middle.
struct Staged {
    engine: Arc<Engine>,
    batch: BatchId,
    /// Whether there is anything to give up.
    is_staged: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.is_staged {
            self.engine.abort(self.batch);
        }
    }
}

/// A chunk on its way to the disk.
struct Flying {
    taken: Taken,
    since: Mono,
    messages: u32,
}

/// A list being read.
struct Bulk<'c> {
    api: &'c Arc<Api>,
    caller: &'c Caller,
    reader: BulkReader,
    sorter: Sorter<'c>,
    staged: Staged,
    flight: VecDeque<Flying>,
    /// The first ids of the drafts, by their number.
    places: Vec<MessageId>,
    /// Octets since others had their turn.
    turn: usize,
    /// Messages for which room was had already.
    paid: u32,
}

impl<'c> Bulk<'c> {
    fn new(api: &'c Arc<Api>, caller: &'c Caller, reader: BulkReader, paid: u32) -> Bulk<'c> {
        let batch = BatchId(api.engine.ids.take(api.engine.world.now()));
        let customer = caller.customer();
        let drafts = Drafts::new(&customer.name, Some(batch), &api.carriers, u32::from(api.config().journal.frame_messages_max));
        Bulk {
            api,
            caller,
            reader,
            sorter: Sorter {
                intake: api.intake(customer),
                gathered: Gathered { drafts, results: Results::default(), warned: [0; Arrival::WORDS.len()] },
                now: Time(0),
            },
            staged: Staged { engine: api.engine.clone(), batch, is_staged: false },
            flight: VecDeque::with_capacity(FLIGHT_MAX),
            places: Vec::new(),
            turn: 0,
            paid,
        }
    }

    async fn run(mut self, mut upload: Upload, mut inflate: Option<Inflate>, once: Option<Once>) -> Result<Reply, Problem> {
        let mut plain = Vec::new();
        while let Some(data) = upload.next().await? {
            match &mut inflate {
                None => self.read(&data).await?,
                Some(inflate) => self.unpack(&data, inflate, &mut plain).await?,
            }
        }
        if let Some(inflate) = inflate {
            inflate.finish()?;
        }
        let Bulk { api, reader, sorter, .. } = &mut self;
        sorter.now = api.engine.world.now();
        reader.finish(|item| sorter.sort(item))?;
        let hash = upload.hash();
        self.seal(hash, once).await
    }

    async fn unpack(&mut self, mut packed: &[u8], inflate: &mut Inflate, plain: &mut Vec<u8>) -> Result<(), Problem> {
        loop {
            plain.clear();
            let progress = inflate.feed(packed, plain, TURN_BYTES)?;
            packed = &packed[progress.taken..];
            self.read(plain).await?;
            if progress.after == After::Done {
                return Ok(());
            }
        }
    }

    /// Reads some octets and hands on what has gathered.
    async fn read(&mut self, data: &[u8]) -> Result<(), Problem> {
        let Bulk { api, reader, sorter, .. } = self;
        sorter.now = api.engine.world.now();
        let before = sorter.gathered.results.received();
        let read = reader.feed(data, |item| sorter.sort(item));
        api.engine.metrics.bulk_lines.inc_by(u64::from(sorter.gathered.results.received() - before));
        read?;
        self.turn += data.len();
        let drafts = &self.sorter.gathered.drafts;
        if drafts.messages() >= CHUNK_FRAMES * u32::from(self.api.config().journal.frame_messages_max) || drafts.bytes() >= CHUNK_BYTES {
            self.hand_on().await?;
        }
        if self.turn >= TURN_BYTES {
            self.turn = 0;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Stages what has gathered.
    async fn hand_on(&mut self) -> Result<(), Problem> {
        while self.flight.len() >= FLIGHT_MAX {
            self.land().await?;
        }
        let messages = self.sorter.gathered.drafts.messages();
        self.pace(messages).await;
        let acceptance = Acceptance { frames: self.sorter.gathered.drafts.take(), ..Acceptance::default() };
        let since = self.api.engine.world.mono();
        let when_full = self.when_full();
        self.staged.is_staged = true;
        let taken = self.api.engine.take(acceptance, when_full).await?;
        self.flight.push_back(Flying { taken, since, messages });
        Ok(())
    }

    /// Waits until as many messages may come, beyond those for which the list has waited at the door.
    async fn pace(&mut self, messages: u32) {
        let paid = self.paid.min(messages);
        self.paid -= paid;
        if messages > paid {
            self.api.engine.pace(messages - paid).await;
        }
    }

    /// A list of which something was taken waits; another may be refused.
    const fn when_full(&self) -> WhenFull {
        if self.staged.is_staged { WhenFull::Wait } else { WhenFull::Refuse }
    }

    /// Waits for the oldest chunk.
    async fn land(&mut self) -> Result<(), Problem> {
        let Some(Flying { taken, since, messages }) = self.flight.pop_front() else { return Ok(()) };
        self.places.extend(settled(self.api, taken, None).await?);
        let took = self.api.engine.world.mono().since(since);
        self.api.engine.metrics.journal.accept_to_commit.observe_many(took, u64::from(messages));
        Ok(())
    }

    /// The end: the last messages, the row that makes all of them live, and the answer to be given again.
    async fn seal(mut self, hash: Option<[u8; 32]>, once: Option<Once>) -> Result<Reply, Problem> {
        // Every earlier chunk must be on disk: the row would make a list live that lacks one.
        while !self.flight.is_empty() {
            self.land().await?;
        }
        let (engine, batch) = (self.api.engine.clone(), self.staged.batch);
        let results = &self.sorter.gathered.results;
        let row = BatchRow {
            id: batch,
            account: self.caller.name().to_owned(),
            at: engine.world.now(),
            received: results.received(),
            accepted: if crate::base::planted::is("refused-line-uncounted") { results.received() } else { results.accepted() },
            detail: results.detail(),
        };
        let messages = self.sorter.gathered.drafts.messages();
        self.pace(messages).await;
        let acceptance = Acceptance {
            frames: self.sorter.gathered.drafts.take(),
            seal: Some(row),
            answer: once.as_ref().map(|once| once.answer(self.api, hash, &Given::Batch { id: batch })),
            abort: None,
            people: Vec::new(),
        };
        let since = engine.world.mono();
        let taken = engine.take(acceptance, self.when_full()).await?;
        // The row is in the writer's hands: to give up now would be to lose messages that may be accepted.
        let was_staged = std::mem::replace(&mut self.staged.is_staged, false);
        match settled(self.api, taken, once.map(Once::into_held)).await {
            Ok(places) => self.places.extend(places),
            Err(refused) => {
                // Not stored for lack of room: its earlier chunks are to go. After a failed journal nothing is done.
                self.staged.is_staged = was_staged && refused == Refused::Full;
                return Err(unsettled(refused));
            }
        }
        engine.metrics.journal.accept_to_commit.observe_many(engine.world.mono().since(since), u64::from(messages));
        Ok(self.answer(batch))
    }

    fn answer(self, batch: BatchId) -> Reply {
        let customer = self.caller.customer();
        let Gathered { results, warned, .. } = self.sorter.gathered;
        for (word, count) in Arrival::WORDS.into_iter().zip(warned).filter(|(_, count)| *count > 0) {
            customer.metrics.sender_warned(word, count);
        }
        customer.rates.messages.count(self.api.engine.world.mono(), results.accepted());
        customer.metrics.accepted.inc_by(u64::from(results.accepted()));
        customer.metrics.segments.inc_by(results.segments());
        for (code, count) in results.refused_by() {
            customer.metrics.refused(code, u64::from(count));
        }
        with(StatusCode::ACCEPTED, "application/json", results.body(batch, self.places))
    }
}

/// What becomes of each line; nothing here waits.
struct Sorter<'c> {
    intake: Intake<'c>,
    gathered: Gathered,
    now: Time,
}

impl Sorter<'_> {
    fn sort(&mut self, item: Item<'_>) {
        self.intake.sort(item, self.now, &mut self.gathered);
    }
}

/// What became of the lines so far.
struct Gathered {
    drafts: Drafts,
    results: Results,
    /// Messages by what becomes of their sender.
    warned: [u64; Arrival::WORDS.len()],
}

impl Sink for Gathered {
    fn admitted(&mut self, line: u32, Admitted { composed, carrier, start, arrival, .. }: &Admitted<'_>) {
        if let Some(place) = arrival.place() {
            self.warned[place] += 1;
        }
        let Slot { draft, ordinal } = self.drafts.push(composed, *carrier, *start);
        self.results.accept(line, draft, ordinal, composed.ends.len() as u8, composed.encoding);
        if let Some(wait) = Wait::of(*start) {
            self.results.wait(line, wait);
        }
    }

    fn refused(&mut self, line: u32, source: Source, refusal: Refusal) {
        self.results.refuse(line, source, refusal);
    }
}
