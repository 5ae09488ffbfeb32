//! Every bound of the gateway that can be set, with its default and the reason for both ends; below them the bounds
//! that cannot be set. Relations between the defaults are asserted when this file is compiled, relations between the
//! values of a file in `check`.

use crate::base::Span;

/// A value that may lie between `min` and `max`, both allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limit<T> {
    /// What holds when the file says nothing.
    pub default: T,
    /// The least allowed.
    pub min: T,
    /// The greatest allowed.
    pub max: T,
}

const fn limit<T>(default: T, min: T, max: T) -> Limit<T> {
    Limit { default, min, max }
}

const fn ms(n: u64) -> Span {
    Span::millis(n)
}
const fn s(n: u64) -> Span {
    Span::secs(n)
}
const fn h(n: u64) -> Span {
    Span::secs(n * 3_600)
}
const fn d(n: u64) -> Span {
    h(n * 24)
}
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

// The node.

/// Five bits of a message id name the node (`base::id`).
pub const NODE: Limit<u8> = limit(0, 0, 31);

// HTTP.

/// A single message of 64 segments is 10 KB; 2 MiB leaves room for a list of a thousand. The whole body is in memory.
pub const BODY_BYTES: Limit<u64> = limit(2 * MIB, 4 * KIB, 64 * MIB);
/// A bulk body is streamed, so its bound is the disk, not memory: a million lines of 250 octets.
pub const BULK_BYTES: Limit<u64> = limit(256 * MIB, 64 * KIB, 4 * GIB);
/// A million recipients a request; beyond, one broken connection costs too much to repeat.
pub const BULK_LINES: Limit<u32> = limit(1_000_000, 1, 10_000_000);
/// The longest line of a bulk: 64 segments of text as JSON escapes fit; an endless line must not.
pub const LINE_BYTES: Limit<u64> = limit(8 * KIB, KIB, MIB);
/// Decompressed octets for each compressed one, after the first MiB; text of campaigns compresses 10 to 40 times.
pub const COMPRESSION_RATIO: Limit<u32> = limit(100, 2, 10_000);
/// Recipients of one preview of a list: each is composed as if it were sent, some microseconds each.
pub const PREVIEW_LINES: Limit<u32> = limit(10_000, 1, 1_000_000);
/// The time for a request's head: slow-loris holds a connection no longer.
pub const HEADER_TIMEOUT: Limit<Span> = limit(s(5), ms(100), s(60));
/// The longest pause inside a body.
pub const BODY_IDLE: Limit<Span> = limit(s(10), ms(100), s(300));
/// The longest pause between two requests on a connection.
pub const KEEP_ALIVE: Limit<Span> = limit(s(60), s(1), s(3_600));
/// The head of a request. hyper wants 8 KiB at least.
pub const HEADER_BYTES: Limit<u64> = limit(16 * KIB, 8 * KIB, 64 * KIB);
/// Each open connection costs up to 64 KiB before it is authenticated (measured: 16 at rest, 54 with a head of 15 KiB): 64 MiB
/// by default.
pub const HTTP_CONNECTIONS: Limit<u32> = limit(1_024, 1, 65_536);
/// Files that are not for connections of the HTTP interface, beside one for each session and webhook: slices of the journal with their
/// logs, for the writer, the checkpoints, 24 readers and an erasure; threads; and what a look-up or a reload opens for a moment.
pub const FILES_KEPT: u64 = 256;
/// Accepted octets that wait for a commit; above it the answer is 503. At 100 MB/s of disk this is under a second.
pub const JOURNAL_QUEUE: Limit<u64> = limit(64 * MIB, MIB, 4 * GIB);
/// An explained line is about 400 octets and is in memory until it is sent: half a megabyte by default. Whoever wants more
/// asks for the lines he doubts.
pub const EXPLAIN_LINES: Limit<u32> = limit(1_000, 0, 100_000);
/// Cancelling by key looks each message up and waits for its carrier's shard; beyond, the answer says that there is more.
pub const CANCEL_MESSAGES: Limit<u32> = limit(10_000, 1, 1_000_000);
/// How much the threads that read bulks give way to those that send: at 10 they get a tenth of a core that others want.
pub const BULK_NICENESS: Limit<u8> = limit(10, 0, 19);

// Accounts.

/// Names are labels of metrics and parts of paths: short, and the same everywhere.
pub const NAME_CHARS_MAX: usize = 32;
/// Ten segments are 1,530 letters; 64 is 9,792, beyond which a text is a mistake. The byte of a UDH allows 255.
pub const MAX_SEGMENTS: Limit<u8> = limit(10, 1, 64);
/// Requests a second of one account; 0 = no limit of its own.
pub const REQUESTS_PER_SECOND: Limit<u32> = limit(0, 0, 100_000);
/// Messages a second of one account; 0 = no limit of its own.
pub const MESSAGES_PER_SECOND: Limit<u32> = limit(0, 0, 10_000_000);
/// A mention of how to stop: "STOP au 36111" is 13 characters; a quarter of a UCS-2 segment is enough for any wording.
pub const STOP_MENTION_CHARS_MAX: usize = 60;
/// The share of an account where accounts compete: with 100 against 1, the lesser still moves every 101st message.
pub const WEIGHT: Limit<u8> = limit(1, 1, 100);

/// Nothing leaves so long before its window closes: carriers queue, and what arrives late is late for the recipient too.
/// Zero is allowed for those whose carriers do not; with an hour little of a short window is left.
pub const MARGIN: Limit<Span> = limit(s(300), ms(0), h(1));

// Carriers.

/// Sessions with one carrier. More than 64 means several carriers in truth: each has its own socket and tasks.
pub const BINDS: Limit<u8> = limit(1, 1, 64);
/// Unanswered submits of one bind; also the most that can be in doubt when the session dies. Carriers allow 1 to 100,
/// a loopback peer more.
pub const WINDOW: Limit<u16> = limit(10, 1, 1_000);
/// Segments a second of one carrier, all its binds together; 0 = as fast as its windows allow.
pub const SEGMENTS_PER_SECOND: Limit<f64> = limit(0.0, 0.0, 1_000_000.0);
/// Segments at once above the even rate. Without a value: a tenth of a second's worth, at least 1.
pub const BURST: Limit<u32> = limit(1, 1, 100_000);
/// A quiet link is tested this often. Peers cut after 60 s to 5 min of silence.
pub const ENQUIRE_LINK: Limit<Span> = limit(s(30), ms(100), s(600));
/// An unanswered submit is in doubt after this. Peers under load take 10 to 60 s; less makes doubt where there is none.
pub const RESPONSE_TIMEOUT: Limit<Span> = limit(s(30), ms(100), s(300));
/// Connect, TLS and bind together. Peers drop a connection that has not bound after 5 to 30 s.
pub const BIND_TIMEOUT: Limit<Span> = limit(s(10), ms(100), s(120));
/// The first pause before a new connection; doubles, with jitter.
pub const RECONNECT_MIN: Limit<Span> = limit(s(1), ms(10), s(300));
/// The longest pause before a new connection. Peers ban those that knock too often.
pub const RECONNECT_MAX: Limit<Span> = limit(s(60), ms(10), s(3_600));
/// Nothing is submitted for so long after ESME_RTHROTTLED or ESME_RMSGQFUL. One second is usual, some demand 60.
pub const THROTTLE_PAUSE: Limit<Span> = limit(s(1), ms(10), s(600));
/// How long the carrier may try, when the message does not say. SMSCs keep 24 to 72 h; at least a minute, because the
/// field counts minutes in truth.
pub const VALIDITY: Limit<Span> = limit(h(48), s(60), h(72));
/// A submitted message without a final receipt becomes `unknown` after this.
pub const RECEIPT_WAIT: Limit<Span> = limit(h(72), s(1), d(14));
/// A message in doubt waits so long for a receipt that settles it. 0 = decide at once.
pub const AMBIGUITY_HOLD: Limit<Span> = limit(s(60), ms(0), h(24));
/// Submits of one message that end in a temporary refusal, the first included. Throttling does not count.
pub const ATTEMPTS: Limit<u8> = limit(5, 1, 100);
/// The first pause after a temporary refusal; doubles.
pub const RETRY_MIN: Limit<Span> = limit(s(5), ms(10), h(1));
/// The longest pause after a temporary refusal.
pub const RETRY_MAX: Limit<Span> = limit(s(600), ms(10), h(24));
/// A receipt that matches nothing is kept and tried again so long (promise: 72 h).
pub const ORPHAN_TTL: Limit<Span> = limit(h(72), s(1), d(14));
/// The first sequence number of a session (SMPP 3.4 clause 3.2: 1 to 0x7FFFFFFF). Tests set it near the wrap.
pub const SEQUENCE_START: Limit<u32> = limit(1, 1, 0x7FFF_FFFF);
/// Port numbers; 0 would mean any.
pub const PORT: Limit<u16> = limit(2_775, 1, u16::MAX);

// Webhooks.

/// Events in one call. A thousand are about 400 KB.
pub const MAX_BATCH: Limit<u32> = limit(100, 1, 1_000);
/// The time for a whole call. A slower customer should answer first and work later.
pub const HOOK_TIMEOUT: Limit<Span> = limit(s(10), ms(100), s(60));
/// How long an event is offered again (promise: 24 h at least).
pub const RETRY_FOR: Limit<Span> = limit(h(24), s(1), d(7));
/// Ports that webhooks may call: https alone by default, so that nothing inside the network answers.
pub const HOOK_PORT: Limit<u16> = limit(443, 1, u16::MAX);

// The journal.

/// The writer collects so long before it commits; 0 = as soon as it is free. One fsync takes 0.5 to 4 ms.
pub const TICK: Limit<Span> = limit(ms(1), ms(0), ms(20));
/// Or so many octets. Larger commits keep the answer waiting without gaining.
pub const COMMIT_BYTES: Limit<u64> = limit(MIB, 64 * KIB, 64 * MIB);
/// A file of the journal covers this much time. Retention deletes whole files.
pub const SLICE: Limit<Span> = limit(h(1), s(1), h(24));
/// Or so many octets.
pub const SLICE_BYTES: Limit<u64> = limit(GIB, MIB, 64 * GIB);
/// Files whose messages are all final are kept so long.
pub const RETENTION: Limit<Span> = limit(d(7), s(1), d(400));
/// A file of nothing, given back when the disk is full, so that state changes of accepted messages still find room.
pub const RESERVE_BYTES: Limit<u64> = limit(16 * MIB, 0, 16 * GIB);
/// Messages in one frame. The ordinal has 12 bits in records; fewer compress worse.
pub const FRAME_MESSAGES: Limit<u16> = limit(2_048, 1, 4_096);
/// Decompressed frames kept for reading.
pub const FRAME_CACHE: Limit<u64> = limit(64 * MIB, MIB, 16 * GIB);
/// How long an idempotency key is remembered (promise: 72 h at least).
pub const IDEMPOTENCY_FOR: Limit<Span> = limit(h(72), s(1), d(30));

// The engine.

/// Threads that own lanes and sessions; 0 = one a core. More than 16 would need a larger spread than was tested.
pub const SHARDS: Limit<u8> = limit(0, 0, 16);
/// Messages ready to be sent that are in memory, as octets. The rest waits on disk.
pub const LANE_BYTES: Limit<u64> = limit(128 * MIB, MIB, 16 * GIB);
/// How long a stop waits for the windows to empty.
pub const DRAIN: Limit<Span> = limit(s(30), ms(0), s(600));
/// Submitted messages that await a receipt and are in the index; 40 octets each, so 800 MB when full.
pub const AWAITING: Limit<u32> = limit(20_000_000, 1_000, 200_000_000);
/// Messages that wait for this gateway and not for a carrier when as many come as leave: a second's work or two, so that
/// sending does not run dry while refused callers wait their second.
pub const AHEAD: Limit<u32> = limit(500_000, 10_000, 100_000_000);
/// New messages a second that may come even then: 50,000 cost a twentieth of a core, and let any queue grow.
pub const ACCEPT_MIN: Limit<u32> = limit(50_000, 100, 10_000_000);
/// Receipts that matched nothing and are kept; about 300 octets each.
pub const ORPHANS: Limit<u32> = limit(100_000, 0, 10_000_000);
/// How long the wall clock must have been steady after a jump: a time service that steps does so once or twice.
pub const CLOCK_SETTLE: Limit<Span> = limit(s(10), s(1), s(3_600));
/// The age of the journal's last record at the start from which advertising waits for a person; 0 = it never does.
pub const REVIVAL_HOLD: Limit<Span> = limit(h(6), ms(0), h(8_760));

/// A text from a handset whose parts do not all come is told after this with its holes. Networks repeat a part for some
/// minutes; ten is the far end (promise: 10 min).
pub const INBOUND_WAIT: Limit<Span> = limit(s(600), s(1), h(24));
/// Texts from handsets that wait for parts, each carrier; a hundred thousand of some hundred octets are tens of megabytes.
pub const INBOUND_TEXTS: Limit<u32> = limit(100_000, 1, 1_000_000);
/// Octets of those parts, each carrier.
pub const INBOUND_BYTES: Limit<u64> = limit(32 * MIB, 64 * KIB, GIB);
// Consent.

/// Opt-outs and preferences that customers bring, all accounts together; 15 octets each in memory, so 150 MB when full. A
/// country's do-not-call list has 5 to 250 million numbers. What recipients say themselves is kept beyond it.
pub const SUPPRESSIONS: Limit<u32> = limit(10_000_000, 0, 1_000_000_000);
/// Sends remembered for caps and the guard against repeats, all accounts together; 40 to 60 octets each in memory, so up to
/// 600 MB when full, and 12 octets each on disk. Full, marketing of accounts with caps waits.
pub const CAPS: Limit<u32> = limit(10_000_000, 1_000, 1_000_000_000);
/// Messages a cap allows in its period. Each is looked at when the next is asked about.
pub const CAP_COUNT: Limit<u32> = limit(1, 1, 1_000);
/// A cap's period. At most the retention: what was sent is read back from the journal at start.
pub const CAP_PERIOD: Limit<Span> = limit(d(1), s(60), d(366));
/// How long the same content does not go to the same recipient again; 0 = no guard. At most the retention, likewise.
pub const REPEAT_GUARD: Limit<Span> = limit(ms(0), ms(0), d(366));

// What cannot be set.

/// Answers to stop, start and help: some texts for each country and account.
pub const REPLIES_MAX: usize = 1_000;
/// There are some 250 countries.
pub const COUNTRIES_MAX: usize = 300;
/// An answer is three segments at most.
pub const REPLY_CHARS_MAX: usize = 459;
/// What is kept of a text until it is sent: texts and parameters. A text of ten segments and some values are 2 KiB; more would
/// be more work than a shard may do between two looks at its sockets.
pub const LATE_BYTES_MAX: usize = 4 * 1_024;
/// Work on them in one turn of a carrier, as octets of texts, values and what filters are given: some 100 of the usual ones, half
/// a millisecond.
pub const LATE_TURN_BYTES: usize = 32 * 1_024;
/// Messages whose instant a customer has set anew and that have not gone: some 60 octets each, beside their frames.
pub const RESCHEDULED_MAX: usize = 200_000;

/// The file itself: a thousand carriers and ten thousand routes fit.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Mistakes reported in one pass; a file with more is not a configuration.
pub const MISTAKES_MAX: usize = 1_000;
/// A secret: a file given by error (a disk image, a log) is not read to its end.
pub const SECRET_BYTES_MAX: usize = 64 << 10;
/// Accounts, carriers, webhooks: each has counters, and labels of metrics must stay bounded.
pub const ACCOUNTS_MAX: usize = 10_000;
/// See [`ACCOUNTS_MAX`].
pub const CARRIERS_MAX: usize = 256;
/// Routes are searched by prefix, in memory.
pub const ROUTES_MAX: usize = 100_000;
/// See [`ACCOUNTS_MAX`].
pub const WEBHOOKS_MAX: usize = 10_000;
/// Rules, calendars and overrides of one account, each: all rules of the program are 47. All must allow, so each costs.
pub const ACCOUNT_RULES_MAX: usize = 64;
/// Caps of one account: each is counted for each of its messages.
pub const CAPS_OF_ACCOUNT_MAX: usize = 8;
/// Rules replaced in the last seven days, which still must allow too; a reload beyond it is refused. Each is asked.
pub const FORMER_RULES_MAX: usize = 8;
/// Messages to one recipient that are looked through, newest first, when he opts out, so that what waits of them ends at once:
/// each frame they are in is read. The rest ends when its own time comes, as everything is judged again then.
pub const STOPPED_MESSAGES_MAX: usize = 16_384;
/// Octets of rule files and time zones together, as they are in memory and, for seven days after they were replaced, in the
/// store: the rules in the program have 250 thousand, the whole zone database under a million.
pub const RULES_KEPT_BYTES_MAX: usize = 16 << 20;
/// Kinds of recipients (account's hours, place, own zone, channel, class) whose hours a thread keeps worked out; about 400
/// octets each. The program's tables have under 600 places; beyond the bound all is worked out anew.
pub const RULE_PAGES_MAX: usize = 16_384;
/// API keys of one account: two in rotation, and one a program.
pub const KEYS_MAX: usize = 64;
/// Allowed senders of one account.
pub const SENDERS_MAX: usize = 1_000;
/// Allowed ports of webhooks.
pub const PORTS_MAX: usize = 64;
/// Status overrides of one carrier.
pub const STATUS_MAX: usize = 1_024;
/// How far ahead a message may be scheduled: two years, and a bit for those who plan after them. The rules of hours know
/// holidays much further.
pub const SCHEDULE_AHEAD_MAX: Span = d(800);
/// The pepper: 128 bits at least.
pub const PEPPER_BYTES_MIN: usize = 16;
/// SMPP 3.4 clause 5.2.1: 16 octets with the NUL.
pub const SYSTEM_ID_CHARS_MAX: usize = 15;
/// SMPP 3.4 clause 5.2.2: 9 octets with the NUL. Longer ones are in use.
pub const PASSWORD_CHARS_USUAL: usize = 8;
/// The longest password we send.
pub const PASSWORD_CHARS_MAX: usize = 64;
/// SMPP 3.4 clause 5.2.3: 13 octets with the NUL.
pub const SYSTEM_TYPE_CHARS_MAX: usize = 12;
/// SMPP 3.4 clause 5.2.7: 41 octets with the NUL.
pub const ADDRESS_RANGE_CHARS_MAX: usize = 40;
/// Addresses of webhooks.
pub const URL_CHARS_MAX: usize = 2_048;
/// Standard Webhooks: signing secrets have 24 to 64 octets.
pub const SIGNING_BYTES_MIN: usize = 24;
/// See [`SIGNING_BYTES_MIN`].
pub const SIGNING_BYTES_MAX: usize = 64;
/// Lines of the log that a peer can cause as often as it likes: so many of one cause and carrier (or webhook) in the interval, the rest is
/// counted and told once. Enough to see what is the matter, and at most some megabytes a day, whatever is sent.
pub const COMPLAINTS_MAX: u32 = 20;
/// See [`COMPLAINTS_MAX`].
pub const COMPLAINTS_EVERY: Span = s(60);
/// What the promises give: receipts, orphans and idempotency keys are kept at least 72 h, webhooks tried for 24 h.
pub const PROMISED: Span = h(72);
/// See [`PROMISED`].
pub const PROMISED_HOOK: Span = h(24);

const _: () = {
    assert!(LINE_BYTES.default <= BODY_BYTES.default && BODY_BYTES.default <= BULK_BYTES.default);
    assert!(BODY_BYTES.max <= JOURNAL_QUEUE.max && COMMIT_BYTES.default <= JOURNAL_QUEUE.default);
    assert!(VALIDITY.default.0 <= RECEIPT_WAIT.default.0);
    assert!(RECEIPT_WAIT.default.0 <= RETENTION.default.0 && ORPHAN_TTL.default.0 <= RETENTION.default.0);
    assert!(IDEMPOTENCY_FOR.default.0 <= RETENTION.default.0 && RETRY_FOR.default.0 <= RETENTION.default.0);
    assert!(RECEIPT_WAIT.default.0 >= PROMISED.0 && ORPHAN_TTL.default.0 >= PROMISED.0 && IDEMPOTENCY_FOR.default.0 >= PROMISED.0);
    assert!(RECONNECT_MIN.default.0 <= RECONNECT_MAX.default.0 && RETRY_MIN.default.0 <= RETRY_MAX.default.0);
    assert!(RESPONSE_TIMEOUT.default.0 <= DRAIN.default.0);
    assert!(SLICE.default.0 <= RETENTION.default.0 && COMMIT_BYTES.max <= SLICE_BYTES.max);
    assert!((BINDS.max as u32) * (WINDOW.max as u32) <= AWAITING.default);
};
