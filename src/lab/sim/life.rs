//! One life: the world is made, carriers and webhooks open, the gateway starts, clients ask, faults strike; then all is
//! quiet until every message has ended, everything is looked at once more, and the verdict is given.

use super::checks::Broken;
use super::client::{Desk, Manners, Planned, insist, work};
use super::config;
use super::coverage::Coverage;
use super::deeds;
use super::disk::Disk;
use super::ledger::{BulkEntry, CarrierTerms, Terms};
use super::mail::{Mail, subscriber};
use super::model::Model;
use super::nemesis::{BAD_WEATHER_MS, Nemesis, SLOW_US, weather};
use super::scenario::Scenario;
use super::seen::Seen;
use super::stage::{Order, Stage};
use super::watch::CarrierWatch;
use crate::base::{Span, Time};
use crate::lab::chance::mix;
use crate::lab::points::Points;
use crate::lab::record::Recorder;
use crate::lab::sink::KeepEvents;
use crate::lab::world::BEGIN;
use crate::lab::{Chance, Keep, Options, RecordOptions, SimWorld, Sink, SinkHandle, SinkOptions, Smsc, SmscHandle, TokenRule};
use crate::world::World;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Beyond so many messages submits are forgotten when their message is over.
const KEPT_MAX: u64 = 20_000;
/// So many are looked at once more at the end.
const SAMPLE: u64 = 500;
/// How long a burst of requests is.
const BURST_MS: u64 = 5_000;
/// After the last that may end a message by itself (INV-30), and for the webhooks' own pauses (an hour at most).
const PATIENCE: Span = Span::secs(2 * 3_600);
/// The longest a message that does not say its own lifetime lives: advertising waits over a Sunday or a holiday.
const LIFETIME: Span = Span::secs(3 * 86_400);

/// How a life went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The hash of the log.
    pub hash: String,
    /// The first broken promise, and when in virtual milliseconds.
    pub broken: Option<(i64, Broken)>,
    /// Messages accepted, and told final.
    pub accepted: u64,
    /// See `accepted`.
    pub told: u64,
    /// Observations, submits, and virtual time.
    pub seen: u64,
    /// See `seen`.
    pub submits: u64,
    /// See `seen`.
    pub lived: Span,
    /// What was written to the store, by kind; in a life with points alone.
    pub coverage: Coverage,
}

/// Lives a life. Makes its own runtime: to be called outside of any.
#[must_use]
pub fn live(seed: u64, scenario: &Scenario, log: Option<Box<dyn std::io::Write + Send>>) -> Verdict {
    live_through(seed, scenario, log, None)
}

/// The same, with processes that die at `points`.
#[must_use]
pub fn live_through(seed: u64, scenario: &Scenario, log: Option<Box<dyn std::io::Write + Send>>, points: Option<Points>) -> Verdict {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime without sockets");
    let local = tokio::task::LocalSet::new();
    let verdict = local.block_on(&runtime, Box::pin(act(seed, scenario, log, points)));
    // What still runs ends here, in the world it belongs to.
    let _guard = runtime.enter();
    drop(local);
    verdict
}

async fn act(seed: u64, scenario: &Scenario, log: Option<Box<dyn std::io::Write + Send>>, points: Option<Points>) -> Verdict {
    let sim = SimWorld::new(seed);
    sim.set_wall(Time(BEGIN.0 + scenario.begins * 60_000));
    let world = sim.world();
    let mail = Arc::new(Mail::new(seed, scenario));
    let wanted = mail.clone();
    let model = Model::new(world.clone(), scenario.messages, terms(scenario), Box::new(move |n| wanted.letter(n).wanted), log);
    model.title(&(seed, scenario));
    sim.net().set_weather(weather(scenario));
    if let Some(points) = &points {
        sim.net().set_points(points.clone());
    }
    let carriers = carriers(&world, scenario, &model).await;
    // A webhook looks at the time of a call: whether the gateway's clock is right is nothing it could know.
    let sinks = sinks(&sim.on_machine(), scenario, &model).await;
    let disk = Disk::new(seed, scenario.sync_us, points.clone());
    let coverage = disk.coverage().clone();
    let (orders, taken) = mpsc::channel(1);
    let stage = Stage { sim: sim.clone(), disk: disk.clone(), config: config::of(scenario), model: model.clone(), points: points.clone() };
    let stage = tokio::task::spawn_local(stage.run(taken));

    let is_fair = scenario.faults.count == 0 && scenario.script.is_empty();
    let share = scenario.manners;
    let manners = if is_fair {
        Manners::default()
    } else {
        Manners { breaks_off: scenario.breaks_off, doubles: share, repeats: share, crosses: share, gives_up: 0.4 * share }
    };
    let desk = Desk { world: world.clone(), to: config::listen(), model: model.clone(), mail, manners };
    let mut clients = clients(&desk, scenario, seed);
    let habits = scenario.carriers.iter().map(|carrier| carrier.habits.clone()).collect();
    let nemesis = Nemesis {
        sim: sim.clone(),
        disk,
        model: model.clone(),
        orders: orders.clone(),
        carriers,
        habits,
        sinks,
        weather: weather(scenario),
        sync_us: scenario.sync_us,
        is_mortal: scenario.faults.kinds.iter().any(|kind| kind.ends_process()),
    };
    let course = async {
        let asking = async { while clients.join_next().await.is_some() {} };
        let (looking, injecting) = (look_around(&desk, scenario, seed), inject(&nemesis, scenario, seed));
        tokio::join!(nemesis.run(scenario, seed), looking, injecting, deeds::run(&desk, &nemesis.carriers, scenario));
        asking.await;
        conclude(&desk, scenario, &orders, points.as_ref()).await;
        let _ = stage.await;
    };
    let is_over = tokio::select! {
        biased;
        () = model.broken() => false,
        () = course => true,
    };
    // A call that was under way when the clock was set is refused, and made again.
    let is_set = scenario.faults.kinds.contains(&super::fault::Kind::Clock);
    let old = |counts: &crate::lab::sink::SinkCounts| if is_set { 0 } else { counts.old_signatures };
    let unsigned: u64 =
        nemesis.sinks.iter().map(SinkHandle::counts).map(|counts| counts.bad_signatures + old(&counts) + counts.malformed).sum();
    if unsigned > 0 {
        model.fail(Broken { invariant: "INV-24", what: format!("{unsigned} webhook calls were wrongly signed or no events") });
    }
    let (accepted, told) = model.ask(super::ledger::Ledger::counts);
    let (hash, broken) = model.finish(is_over);
    let (seen, submits) = model.counts();
    Verdict { hash, broken, accepted, told, seen, submits, lived: Span(world.mono().0), coverage }
}

/// Waits until every message has ended, looks at everything once more, has the gateway stop and start, looks again, and has it
/// stop for good.
async fn conclude(desk: &Desk, scenario: &Scenario, orders: &mpsc::Sender<Order>, points: Option<&Points>) {
    wait(&desk.world, &desk.model, scenario).await;
    count_bulks(desk, scenario).await;
    sweep(desk, scenario).await;
    // Receipts that come twice or late, and cursors: nothing of it may change what was said.
    tokio::time::sleep(Span::secs(120).std()).await;
    // Nor a stop and a start.
    let _ = orders.send(Order::Stop(None, Span::millis(100))).await;
    tokio::time::sleep(Span::secs(60).std()).await;
    count_bulks(desk, scenario).await;
    if let Some(points) = points {
        // After a death among the last of them: nothing may have changed.
        sweep(desk, scenario).await;
        points.close();
    }
    let _ = orders.send(Order::End).await;
}

fn terms(scenario: &Scenario) -> Terms {
    let kinds = &scenario.faults.kinds;
    let [_, latency] = scenario.latency_ms;
    let [_, sync] = scenario.sync_us;
    let latency = if kinds.contains(&super::fault::Kind::Weather) { latency.max(BAD_WEATHER_MS) } else { latency };
    let sync = if kinds.contains(&super::fault::Kind::Slow) { sync.max(SLOW_US) } else { sync };
    let carrier = |plan: &super::scenario::CarrierPlan| CarrierTerms {
        rate: plan.rate,
        burst: plan.burst,
        hold_ms: plan.hold_s as i64 * 1_000,
        sessions: u32::from(plan.binds),
        window: plan.window,
        response_timeout_ms: plan.response_timeout_s as i64 * 1_000,
        receipt_ids: Some([plan.habits.receipt_id, plan.habits.tlv_id.unwrap_or(plan.habits.receipt_id)]),
    };
    Terms {
        latency_max_ms: latency as i64,
        sync_max_ms: sync.div_ceil(1_000) as i64,
        backlog_ms: backlog_ms(scenario),
        lifetime_ms: scenario.carriers.iter().map(|plan| plan.receipt_wait_m as i64 * 60_000).min().unwrap_or(0),
        carriers: scenario.carriers.iter().map(carrier).collect(),
        accounts: scenario.accounts,
        keeps_all: scenario.messages <= KEPT_MAX,
    }
}

/// Everything goes to the slowest carrier, after the longest of pauses: the answer's timeout, the hold of a doubt, retries.
fn backlog_ms(scenario: &Scenario) -> i64 {
    let segments = scenario.messages as f64 * f64::from(scenario.parts_max) * 2.0;
    let slowest = |plan: &super::scenario::CarrierPlan| {
        let answers = segments * plan.habits.response_ms.max_ms as f64 / (1_000.0 * f64::from(plan.window));
        let pace = if plan.rate > 0.0 { answers.max(segments / plan.rate) } else { answers };
        pace as i64 + (plan.response_timeout_s + plan.hold_s) as i64
    };
    (scenario.carriers.iter().map(slowest).max().unwrap_or(0) + 180) * 1_000
}

async fn carriers(world: &World, scenario: &Scenario, model: &Model) -> Vec<SmscHandle> {
    let mut carriers = Vec::new();
    for (index, plan) in scenario.carriers.iter().enumerate() {
        let watch = Arc::new(CarrierWatch { carrier: index as u8, model: model.clone() });
        let counts = RecordOptions { token: TokenRule::None, keep: Keep::Counts, ..RecordOptions::default() };
        let options = Options { record: Arc::new(Recorder::new(counts)), watch: Some(watch), ..Options::default() };
        let smsc = Smsc::listen(world, config::carrier_at(index), plan.habits.clone(), options).await;
        carriers.push(smsc.expect("a free address, and habits that were checked"));
    }
    carriers
}

async fn sinks(world: &World, scenario: &Scenario, model: &Model) -> Vec<SinkHandle> {
    let mut sinks = Vec::new();
    for account in 0..scenario.accounts {
        let model = model.clone();
        let watch = move |event: &crate::lab::sink::Event| model.see(&Seen::Told { account, event });
        let (secret, watch, keep) = (Some(config::SECRET.into()), Some(Arc::new(watch) as _), KeepEvents::Nothing);
        let options = SinkOptions { secret, watch, keep, ..SinkOptions::default() };
        sinks.push(Sink::listen(world, config::sink_at(account), options).await.expect("a free address, and a secret that is one"));
    }
    sinks
}

/// The clients, with their plans: bulks and single messages at random instants.
fn clients(desk: &Desk, scenario: &Scenario, seed: u64) -> JoinSet<()> {
    let mut chance = Chance::new(seed ^ 0x706C_616E);
    let workers = usize::from(scenario.accounts) * usize::from(scenario.clients);
    let mut plans: Vec<Vec<Planned>> = vec![Vec::new(); workers];
    let length_ms = scenario.minutes * 60_000;
    let bursts: Vec<u64> = (0..scenario.bursts).map(|_| chance.below(length_ms)).collect();
    let mut first = 0;
    for (number, ask) in scenario.script.asks.iter().enumerate() {
        let worker = usize::from(ask.account) + usize::from(scenario.accounts) * (number % usize::from(scenario.clients));
        plans[worker].push(Planned { at_ms: ask.at_ms, first, count: ask.messages.len() as u32 });
        first += ask.messages.len() as u64;
    }
    while first < scenario.messages {
        let left = scenario.messages - first;
        let most = u64::from(scenario.bulk_max).min(left);
        // The share is of messages, not of requests.
        let mean = (2.0 + scenario.bulk_max as f64) / 2.0;
        let of_requests = scenario.bulk_share / (scenario.bulk_share + (1.0 - scenario.bulk_share) * mean).max(f64::MIN_POSITIVE);
        let count = if most >= 2 && chance.hit(of_requests) { chance.between(2, most) } else { 1 };
        let at_ms = match bursts.len() as u64 {
            0 => chance.below(length_ms),
            count => bursts[chance.below(count) as usize] + chance.below(BURST_MS),
        };
        plans[chance.below(workers as u64) as usize].push(Planned { at_ms, first, count: count as u32 });
        first += count;
    }
    let mut running = JoinSet::new();
    for (worker, mut plan) in plans.into_iter().enumerate() {
        plan.sort_by_key(|planned| planned.at_ms);
        let account = (worker % usize::from(scenario.accounts)) as u8;
        let work = work(desk.clone(), account, config::key(account), VecDeque::from(plan), mix(seed ^ mix(worker as u64)));
        running.spawn_local(work);
    }
    running
}

/// Subscribers write.
async fn inject(nemesis: &Nemesis, scenario: &Scenario, seed: u64) {
    let mut chance = Chance::new(seed ^ 0x6D6F);
    let mut times: Vec<u64> = (0..scenario.inbound).map(|_| chance.below(scenario.minutes * 60_000)).collect();
    times.sort_unstable();
    let began = nemesis.sim.world().mono();
    for (number, at) in times.into_iter().enumerate() {
        let now = nemesis.sim.world().mono().since(began).as_millis();
        tokio::time::sleep(Span::millis(at.saturating_sub(now)).std()).await;
        let carrier = chance.below(nemesis.carriers.len() as u64);
        let from = subscriber(carrier, chance.below(u64::from(scenario.subscribers))).to_string();
        let text = if chance.hit(scenario.stops) { "STOP".to_owned() } else { format!("inbound {number}") };
        nemesis.carriers[carrier as usize].inject_mo(&from, "36111", &text);
    }
}

/// Somebody looks at messages now and then while all this goes on.
async fn look_around(desk: &Desk, scenario: &Scenario, seed: u64) {
    let mut chance = Chance::new(seed ^ 0x6C6F_6F6B);
    let end = scenario.minutes * 60_000;
    let pause = (end / u64::from(scenario.looks.max(1))).max(200);
    while desk.world.mono().0 / 1_000 < end {
        tokio::time::sleep(Span::millis(chance.between(1, pause)).std()).await;
        let n = chance.below(scenario.messages);
        if let Some(account) =
            desk.model.ask(|ledger| ledger.entry(n).filter(|entry| entry.id != 0 && !entry.is_erased).map(|entry| entry.account))
        {
            desk.look(&config::key(account), n).await;
            let bulk = desk.model.ask(|ledger| ledger.bulks().take_while(|bulk| bulk.first <= n).last().copied());
            if let Some(bulk) = bulk
                && let Some(account) = desk.model.ask(|ledger| ledger.entry(bulk.first).map(|entry| entry.account))
            {
                desk.count(&config::key(account), &bulk).await;
            }
        }
    }
}

/// Waits until every message has ended and was told so; that none is overdue is INV-30.
async fn wait(world: &World, model: &Model, scenario: &Scenario) {
    let receipts = scenario.carriers.iter().map(|carrier| carrier.receipt_wait_m * 60).max().unwrap_or(0);
    let end = world.mono() + Span(Span::secs(receipts).0 + LIFETIME.0 + PATIENCE.0);
    loop {
        let (took, told) = model.ask(super::ledger::Ledger::counts);
        if told >= took {
            return;
        }
        if world.mono() > end {
            let open = |(_, entry): &(u64, &super::ledger::Entry)| entry.id != 0 && entry.status.is_none();
            let open = model.ask(|ledger| ledger.entries().find(open).map(|(n, entry)| (n, *entry)));
            return model.fail(Broken { invariant: "INV-30", what: format!("{took} accepted, {told} ended; one that has not: {open:?}") });
        }
        tokio::time::sleep(Span::secs(1).std()).await;
    }
}

/// Looks at where the messages of every bulk stand, or of a sample of many.
async fn count_bulks(desk: &Desk, scenario: &Scenario) {
    let step = usize::try_from((scenario.messages / SAMPLE).max(1)).unwrap_or(usize::MAX);
    let bulks: Vec<BulkEntry> = desk.model.ask(|ledger| ledger.bulks().step_by(step).copied().collect());
    for bulk in bulks {
        let key = config::key(desk.model.ask(|ledger| ledger.entry(bulk.first).map_or(0, |entry| entry.account)));
        insist(&desk.world, async || desk.count(&key, &bulk).await.then_some(())).await;
    }
}

/// Looks at every message once more, or at a sample of many, and searches some by their reference.
async fn sweep(desk: &Desk, scenario: &Scenario) {
    let step = (scenario.messages / SAMPLE).max(1);
    let searched = step * 8;
    for n in (0..scenario.messages).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let is_there = |entry: &&super::ledger::Entry| entry.id != 0 && !entry.is_erased;
        let Some(account) = desk.model.ask(|ledger| ledger.entry(n).filter(is_there).map(|entry| entry.account)) else {
            continue;
        };
        let key = config::key(account);
        insist(&desk.world, async || desk.look(&key, n).await.then_some(())).await;
        if n % searched == 0 {
            desk.search(&key, n).await;
        }
    }
}
