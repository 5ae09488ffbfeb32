//! The store's share of a message: commits of frames with their log, frames read back, search, recovery.
//!
//! `cargo bench --bench frame` first prints CPU-seconds per million messages over a run of some million (Linux:
//! from `/proc/self/stat`, so the checkpoint is in it), then Criterion's times of one commit and one read.
//! `FRAME_MESSAGES` sets how many messages the run commits.

#![allow(clippy::disallowed_methods, clippy::print_stdout)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use relais::base::{MessageId, Span, Time};
use relais::storage::port::{Closed, NewFrame, SearchKind, search_key};
use relais::storage::sqlite::{Options, Sqlite};
use relais::storage::{Archive, Frame, FrameHead, Group, Journal, Lane};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// A linear congruential generator: repeatable, and good enough for numbers and codes.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 16
    }
}

/// Makes groups as the writer does: `frames` frames of `count` messages, a log of 28 octets a message (submitted
/// and final), and the end of what was accepted 200 groups before.
struct Feed {
    seq: u64,
    id: u64,
    noise: Noise,
    frames: usize,
    count: u32,
    /// Whether messages are filed for search.
    filed: bool,
    old: Vec<MessageId>,
}

impl Feed {
    fn new(frames: usize, count: u32, filed: bool) -> Feed {
        Feed { seq: 1, id: 1 << 40, noise: Noise(7), frames, count, filed, old: Vec::new() }
    }

    fn frame(&mut self, place: usize) -> NewFrame {
        let account = format!("account-{place}");
        let lane = Lane { carrier: "north".into(), account: account.clone(), priority: 1 };
        let accepted = Time(1_764_576_000_000 + self.seq as i64);
        let head = FrameHead {
            first: MessageId(self.id),
            count: self.count,
            seq: self.seq,
            lane,
            batch: None,
            accepted,
            expires: Time(accepted.0 + 60_000),
            due: Time(0),
            why: 0,
        };
        let (mut body, mut recipients, mut references) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.count {
            let (number, code) = (491_510_000_000 + self.noise.next() % 10_000_000_000, self.noise.next());
            let text = format!(
                "{number}|ORDERS|order-{code}|Dear customer, your order {} has left our house today and will be with you \
                 between 9 and 12 o'clock. Follow it at https://example.net/t/{:x} or answer STOP to hear no more from us. \
                 Thank you for your trust.",
                code % 1_000_000,
                self.noise.next()
            );
            body.push((text.len() & 0x7f) as u8 | 0x80);
            body.push((text.len() >> 7) as u8);
            body.extend_from_slice(text.as_bytes());
            recipients.push(search_key(SearchKind::Recipient, &account, &number.to_string()));
            references.push(search_key(SearchKind::Reference, &account, &format!("order-{code}")));
        }
        self.id += u64::from(self.count);
        if !self.filed {
            (recipients, references) = (Vec::new(), Vec::new());
        }
        NewFrame {
            frame: Arc::new(Frame::new(head, body.into()).expect("well formed")),
            recipients,
            references,
            cancel_keys: Vec::new(),
            campaigns: Vec::new(),
        }
    }

    fn group(&mut self) -> Group {
        let frames: Vec<NewFrame> = (0..self.frames).map(|place| self.frame(place)).collect();
        self.old.extend(frames.iter().map(|new| new.frame.head.first));
        let messages = self.frames * self.count as usize;
        let log = (0..messages * 28 / 8).flat_map(|_| (self.noise.next() & 0xffff_ffff).to_le_bytes()).collect();
        let over = if self.old.len() > 200 * self.frames { self.old.drain(..self.frames).collect() } else { Vec::new() };
        let closed = over.iter().map(|frame| Closed { frame: *frame, batch: None, tally: vec![7; 12] }).collect();
        let mut touched: Vec<MessageId> = over.iter().chain(&self.old[self.old.len() - self.frames..]).copied().collect();
        touched.sort_unstable();
        let group =
            Group { seq: self.seq, at: Time(1_764_576_000_000 + self.seq as i64), frames, log, touched, closed, ..Group::default() };
        self.seq += 1;
        group
    }
}

/// CPU-seconds of this process so far, user and system.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat.rsplit(')').next().unwrap_or("").split_whitespace().filter_map(|f| f.parse().ok()).collect();
    // The state is no number, so the 14th and 15th field of the file are the 11th and 12th here. Ticks are 1/100 s.
    fields.get(10..12).map_or(0.0, |ticks| (ticks[0] + ticks[1]) / 100.0)
}

fn written() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

fn open(dir: &std::path::Path) -> Sqlite {
    let options = Options { slice: Span::secs(86_400), reserve_bytes: 0, ..Options::new(dir) };
    let mut journal = Sqlite::open(options).expect("a free directory");
    journal.recover().expect("a store");
    journal
}

/// CPU per million messages of a long run.
fn run(frames: usize, count: u32, filed: bool, messages: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = open(dir.path());
    let mut feed = Feed::new(frames, count, filed);
    let commits = messages / (frames * count as usize);
    let (mut spent, mut keys, mut slowest, mut total) = (0.0, Vec::new(), 0.0f64, 0.0);
    let disk = written();
    let mut at = 0;
    while at < commits {
        // Groups are made outside of what is measured.
        let groups: Vec<Group> = (0..50.min(commits - at)).map(|_| feed.group()).collect();
        keys.extend(groups[0].frames[0].recipients.first());
        at += groups.len();
        let begun = cpu();
        for group in &groups {
            let start = Instant::now();
            journal.commit(group).expect("a commit");
            slowest = slowest.max(start.elapsed().as_secs_f64());
            total += start.elapsed().as_secs_f64();
        }
        journal.upkeep(Time(0), 0).expect("upkeep");
        spent += cpu() - begun;
    }
    let million = (commits * frames * count as usize) as f64 / 1e6;
    println!(
        "{frames} x {count} a commit{}: {:.2} CPU-s/M, {:.0} MB/M written, commit mean {:.2} ms, slowest {:.0} ms",
        if filed { "" } else { ", not filed for search" },
        spent / million,
        (written() - disk) / million,
        total * 1e3 / commits as f64,
        slowest * 1e3
    );
    let archive = journal.archive();
    let begun = Instant::now();
    for key in &keys {
        assert!(!archive.search(*key, None, 10).expect("readable").is_empty());
    }
    println!("  search over {million:.1} M messages: {:.2} ms", begun.elapsed().as_secs_f64() * 1e3 / keys.len().max(1) as f64);
    drop((archive, journal));
    let begun = Instant::now();
    let options = Options { slice: Span::secs(86_400), reserve_bytes: 0, frame_cache_bytes: 0, ..Options::new(dir.path()) };
    let mut journal = Sqlite::open(options).expect("free");
    let found = journal.recover().expect("a store");
    println!("  recovery: {:.0} ms, {} open frames", begun.elapsed().as_secs_f64() * 1e3, found.open.len());
    let archive = journal.archive();
    let (begun, start) = (cpu(), Instant::now());
    let reads = 2_000.min(commits);
    for read in 0..reads {
        let first = MessageId((1 << 40) + (read * (commits / reads) * frames) as u64 * u64::from(count));
        assert!(black_box(archive.frame(first).expect("readable")).is_some());
    }
    let share = reads as f64 * f64::from(count) / 1e6;
    println!("  frames read: {:.2} CPU-s/M, {:.2} ms each", (cpu() - begun) / share, start.elapsed().as_secs_f64() * 1e3 / reads as f64);
}

fn one_by_one(criterion: &mut Criterion) {
    let messages = std::env::var("FRAME_MESSAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000_000);
    run(1, 1_000, true, messages);
    run(1, 1_000, false, messages);
    run(5, 40, true, messages / 4);
    let dir = tempfile::tempdir().expect("a directory");
    let mut journal = open(dir.path());
    let mut feed = Feed::new(1, 1_000, true);
    criterion.bench_function("frame/commit_1000", |bench| {
        bench.iter_batched(|| feed.group(), |group| journal.commit(&group).expect("a commit"), BatchSize::PerIteration);
    });
    let archive: Arc<dyn Archive> = journal.archive();
    criterion.bench_function("frame/read_cached", |bench| {
        let last = MessageId(feed.id - 500);
        bench.iter(|| black_box(archive.frame_of(last).expect("readable")).is_some());
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(30); targets = one_by_one }
criterion_main!(benches);
