//! Carries erasures by number out, one after the other (`docs/adr/0020-erase.md`). All reading is done beside the writer; the
//! writer puts a bounded number of rows in their places at a time. Whatever a kill cuts short is begun anew: what is blank
//! already is found blank.

use crate::base::{MessageId, Span, Time};
use crate::directory::caps::rows_of;
use crate::engine::courier::Notes;
use crate::engine::erasures::{DONE, DONE_MAX, Erasure, OptOuts, PENDING_MAX, Report, Standing};
use crate::engine::handle::{Engine, Refused, WriterNotes};
use crate::engine::stops::{STOPS, names};
use crate::engine::writer::{NotDurable, ToWriter};
use crate::message::erase::Subject;
use crate::pipeline::journal::UNNAMED;
use crate::pipeline::webhook::notes::message_in;
use crate::storage::port::{SearchKind, search_key};
use crate::storage::{Answer, Archive, Blanked, LogRow, Person, PersonChange, Rewrite, Scrubbed, SpentLike, StoreFault};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Frames read at once, and put in their places at once.
const FRAMES: usize = 32;
/// Octets of log read at once.
const LOG_BYTES: usize = 4 << 20;
/// Ids of one look-up by key.
const IDS: usize = 500;
/// Rows of opt-outs read at once.
const ROWS: usize = 10_000;
/// After a fault.
const AGAIN: Span = Span::secs(5);
/// While somebody else is at a file.
const BUSY: Span = Span::millis(200);
/// What stays of a stored answer: the id and the three octets after it, without the customer's reference.
const ANSWER_HEAD: usize = UNNAMED.len() + 3;

/// Why an erasure did not come to its end now.
#[derive(Debug, thiserror::Error)]
enum EraseFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error(transparent)]
    Writer(#[from] NotDurable),
    #[error("the gateway is stopping")]
    Stopping,
}

impl Engine {
    /// Takes an erasure: when this returns it is durable, and messages to the number are not shown any more.
    ///
    /// # Errors
    /// `Overloaded` when too many wait; else as any write.
    pub async fn erase(&self, subject: Subject, opt_outs: OptOuts) -> Result<(String, Time), Refused> {
        self.readiness()?;
        let name = self.erasures.name(&subject);
        if self.erasures.waiting() >= PENDING_MAX {
            return Err(Refused::Overloaded);
        }
        let erasure = self.erasures.make(subject, self.seq(), opt_outs, self.world.now());
        let notes = WriterNotes(self.writer.clone());
        let (key, value) = self.erasures.note(&erasure);
        notes.put(vec![(key, Some(value))]).await.map_err(|fault| match fault {
            StoreFault::Full => Refused::Full,
            _ => Refused::Stopping,
        })?;
        tracing::info!(erasure = name, all = erasure.subject.account.is_none(), "an erasure by number was asked for");
        let asked = erasure.asked;
        self.erasures.add(erasure);
        self.metrics.consent.erasures.set(self.erasures.waiting() as i64);
        Ok((name, asked))
    }

    /// Where the last erasure of this name stands; `None` when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn erasure(&self, subject: &Subject) -> Result<Option<Standing>, StoreFault> {
        let name = self.erasures.name(subject);
        if let Some(since) = self.erasures.since(&name) {
            return Ok(Some(Standing::Pending(since)));
        }
        let notes = self.reader.notes(format!("{DONE}{name}")).await?;
        Ok(notes.first().and_then(|(_, value)| serde_json::from_slice(value).ok()).map(Standing::Done))
    }

    async fn ask<T>(&self, letter: impl FnOnce(oneshot::Sender<Result<T, NotDurable>>) -> ToWriter) -> Result<T, EraseFault> {
        let (reply, answer) = oneshot::channel();
        self.writer.force(letter(reply));
        Ok(answer.await.map_err(|_| EraseFault::Stopping)??)
    }

    async fn rewrite(&self, rewrite: Rewrite) -> Result<(), EraseFault> {
        self.ask(|reply| ToWriter::Rewrite { rewrite, reply }).await
    }
}

/// Carries out what waits, until told to stop.
pub async fn run(engine: Arc<Engine>, stop: CancellationToken) {
    loop {
        engine.metrics.consent.erasures.set(engine.erasures.waiting() as i64);
        let rest = match engine.erasures.next() {
            None => None,
            Some(erasure) => match Work::new(&engine, &erasure, &stop).carry_out().await {
                Ok(()) => continue,
                Err(EraseFault::Stopping) => return,
                Err(fault) => {
                    tracing::warn!(erasure = erasure.name, %fault, "an erasure did not come to its end; it is tried again");
                    Some(AGAIN)
                }
            },
        };
        let rested = async {
            match rest {
                None => engine.erasures.woken.notified().await,
                Some(rest) => tokio::time::sleep(rest.std()).await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = rested => {}
        }
    }
}

/// One erasure under way.
struct Work<'a> {
    engine: &'a Engine,
    erasure: &'a Erasure,
    stop: &'a CancellationToken,
    /// Messages that are blank, also since earlier.
    blank: HashSet<u64>,
    /// Accounts that have such messages.
    accounts: BTreeSet<String>,
    report: Report,
}

impl Work<'_> {
    fn new<'a>(engine: &'a Engine, erasure: &'a Erasure, stop: &'a CancellationToken) -> Work<'a> {
        let report = Report { asked: erasure.asked.0, done: 0, messages: 0, events: 0, unreadable: 0 };
        Work { engine, erasure, stop, blank: HashSet::new(), accounts: BTreeSet::new(), report }
    }

    async fn carry_out(mut self) -> Result<(), EraseFault> {
        self.people().await?;
        self.known_frames().await?;
        self.all_frames().await?;
        self.log().await?;
        self.engine.erasures.forget(self.blank.iter().copied());
        self.answers().await?;
        self.notes().await?;
        self.scrub().await?;
        self.finish().await
    }

    fn check(&self) -> Result<(), EraseFault> {
        if self.stop.is_cancelled() { Err(EraseFault::Stopping) } else { Ok(()) }
    }

    /// Preferences, and opt-outs if they go, too.
    async fn people(&self) -> Result<(), EraseFault> {
        let Erasure { subject, opt_outs, .. } = self.erasure;
        let (whose, number, with_opt_outs) = (subject.clone(), subject.number.as_u64(), *opt_outs == OptOuts::Forgotten);
        let mut accounts: BTreeSet<String> = self.engine.config.accounts.iter().map(|account| account.name.clone()).collect();
        accounts.retain(|account| subject.is_of(account));
        let find = move |archive: &dyn Archive| {
            let mut changes: Vec<PersonChange> = accounts.into_iter().map(|account| PersonChange::Forget { account, number }).collect();
            let mut after = None;
            if !with_opt_outs {
                return Ok(changes);
            }
            loop {
                let rows = archive.suppressions(after.as_ref(), ROWS)?;
                let Some(last) = rows.last() else { break };
                after = Some(last.key.clone());
                let those = rows.into_iter().filter(|row| row.key.number == number && whose.is_of(&row.key.account));
                changes.extend(those.map(|row| PersonChange::Lift(row.key)));
            }
            Ok::<_, StoreFault>(changes)
        };
        let people = self.engine.reader.call(find).await?;
        self.engine.rewrite(Rewrite { people, ..Rewrite::default() }).await
    }

    /// First the frames that the search keys name, so that what waits in them does not leave meanwhile.
    async fn known_frames(&mut self) -> Result<(), EraseFault> {
        let (subject, upto) = (self.erasure.subject.clone(), self.erasure.upto);
        let accounts = self.engine.config.accounts.iter().map(|account| account.name.clone()).filter(|account| subject.is_of(account));
        for account in accounts.collect::<Vec<_>>() {
            let key = search_key(SearchKind::Recipient, &account, &subject.number.as_u64().to_string());
            let mut before = None;
            loop {
                self.check()?;
                let whose = subject.clone();
                let look = move |archive: &dyn Archive| {
                    let ids = archive.search(key, before, IDS)?;
                    let (mut firsts, mut found) = (BTreeSet::new(), Vec::new());
                    for id in &ids {
                        let frame = match archive.frame_of(*id) {
                            Ok(frame) => frame.filter(|frame| frame.head.seq <= upto && firsts.insert(frame.head.first)),
                            Err(StoreFault::Damaged { .. }) => None,
                            Err(fault) => return Err(fault),
                        };
                        found.extend(frame.and_then(|frame| whose.frame(&frame).0));
                    }
                    Ok::<_, StoreFault>((found, ids.last().copied().filter(|_| ids.len() == IDS)))
                };
                let (found, last) = self.engine.reader.call(look).await?;
                self.replace(found).await?;
                before = last;
                if before.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Then all frames: of accounts that are not configured any more, of a damaged index.
    async fn all_frames(&mut self) -> Result<(), EraseFault> {
        let mut from = Some(MessageId(0));
        while let Some(first) = from {
            self.check()?;
            let (subject, upto) = (self.erasure.subject.clone(), self.erasure.upto);
            let look = move |archive: &dyn Archive| {
                let page = archive.frames_from(first, FRAMES)?;
                let is_past = page.frames.last().is_some_and(|frame| frame.head.seq > upto);
                let meant = || page.frames.iter().filter(|frame| frame.head.seq <= upto);
                let (found, blank): (Vec<_>, Vec<_>) = meant().map(|frame| subject.frame(frame)).unzip();
                let senders = meant().zip(&blank).filter(|(_, blank)| !blank.is_empty()).map(|(frame, _)| frame.head.lane.account.clone());
                let senders: BTreeSet<String> = senders.filter(|account| subject.is_of(account)).collect();
                let next = page.next.filter(|_| !is_past);
                Ok::<_, StoreFault>((found.into_iter().flatten().collect(), (blank.concat(), senders), page.damaged, next))
            };
            let (found, (blank, senders), damaged, next): (Vec<Blanked>, _, _, _) = self.engine.reader.call(look).await?;
            self.report.unreadable += damaged;
            self.accounts.extend(senders);
            self.blank.extend(blank.into_iter().map(|id| id.0));
            self.replace(found).await?;
            from = next;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn replace(&mut self, mut found: Vec<Blanked>) -> Result<(), EraseFault> {
        while !found.is_empty() {
            let frames = found.split_off(found.len().saturating_sub(FRAMES));
            self.report.messages += frames.iter().map(|one| one.ordinals.len() as u64).sum::<u64>();
            self.engine.rewrite(Rewrite { frames, ..Rewrite::default() }).await?;
        }
        Ok(())
    }

    /// The log twice: which parts are the number's is said by rows after theirs.
    async fn log(&mut self) -> Result<(), EraseFault> {
        let mut parts = Arc::new(HashSet::new());
        for is_last in [false, true] {
            let mut seq = 0;
            loop {
                self.check()?;
                let rows = match self.engine.reader.log_from(seq, LOG_BYTES).await {
                    Ok(rows) => rows,
                    Err(StoreFault::Damaged { at, .. }) if at >= seq => {
                        self.report.unreadable += u64::from(is_last);
                        seq = at + 1;
                        continue;
                    }
                    Err(fault) => return Err(fault.into()),
                };
                let Some(last) = rows.last().filter(|_| rows[0].seq <= self.erasure.upto) else { break };
                seq = last.seq + 1;
                let (subject, upto, known) = (self.erasure.subject.clone(), self.erasure.upto, parts.clone());
                let read = move |_: &dyn Archive| read_rows(&subject, upto, rows, &known, is_last);
                let found = self.engine.reader.call(read).await;
                self.report.unreadable += found.unreadable;
                self.report.events += found.logs.len() as u64;
                self.blank.extend(found.blank);
                Arc::make_mut(&mut parts).extend(found.parts);
                if !found.logs.is_empty() {
                    self.engine.rewrite(Rewrite { logs: found.logs, ..Rewrite::default() }).await?;
                }
            }
        }
        Ok(())
    }

    /// What was answered to requests with a key.
    async fn answers(&self) -> Result<(), EraseFault> {
        let ids = self.blank.clone();
        let answers = self.engine.reader.call(move |archive| archive.answers_about(&ids)).await?;
        let digits = self.erasure.subject.number.as_u64().to_string();
        let is_whole = |answer: &Answer| answer.request != [0; 32] || answer.body.len() > ANSWER_HEAD;
        let without = |answer: Answer| {
            let (account, key) = (answer.account.clone(), answer.key.clone());
            // A key that spells the number cannot stay; its repetition is a new request then.
            let names = key.contains(&digits);
            let body = answer.body.iter().copied().take(ANSWER_HEAD).collect();
            (account, key, (!names).then_some(Answer { request: [0; 32], body, ..answer }))
        };
        let mut answers: Vec<_> = answers.into_iter().filter(is_whole).map(without).collect();
        while !answers.is_empty() {
            let some = answers.split_off(answers.len().saturating_sub(IDS));
            self.engine.rewrite(Rewrite { answers: some, ..Rewrite::default() }).await?;
        }
        Ok(())
    }

    /// Events that webhooks have not taken.
    async fn notes(&self) -> Result<(), EraseFault> {
        let notes = self.engine.reader.notes("webhook/".into()).await?;
        let is_erased = |(key, value): &(String, Vec<u8>)| message_in(key, value).is_some_and(|id| self.blank.contains(&id));
        let gone: Vec<_> = notes.into_iter().filter(is_erased).map(|(key, _)| (key, None)).collect();
        if !gone.is_empty() {
            WriterNotes(self.engine.writer.clone()).put(gone).await?;
        }
        // An opt-out that is being carried out is named by its search key, from which a number can be found: it goes by itself
        // in a moment, and before the files are written anew.
        let accounts = self.accounts.iter().chain(self.engine.config.accounts.iter().map(|account| &account.name));
        let number = self.erasure.subject.number.as_u64().to_string();
        let keys = accounts.filter(|account| self.erasure.subject.is_of(account));
        let keys: HashSet<u64> = keys.map(|account| search_key(SearchKind::Recipient, account, &number)).collect();
        while self.engine.reader.notes(STOPS.into()).await?.iter().any(|(_, list)| names(list, &keys)) {
            self.check()?;
            self.engine.stops.woken.notify_one();
            tokio::time::sleep(BUSY.std()).await;
        }
        Ok(())
    }

    /// Rows of sends that counted: by their key, of all accounts that may have sent; those of contents are not told apart by
    /// recipient, and go only of accounts that have.
    fn sends(&self) -> Vec<SpentLike> {
        let Subject { number, account } = &self.erasure.subject;
        let configured = self.engine.config.accounts.iter().map(|account| &account.name).filter(|name| self.erasure.subject.is_of(name));
        let by_key = configured.chain(account).map(|account| rows_of(account, *number)[0]);
        by_key.chain(self.accounts.iter().flat_map(|account| rows_of(account, *number))).collect()
    }

    /// The files without what was there before.
    async fn scrub(&self) -> Result<(), EraseFault> {
        while self.engine.ask(ToWriter::Seclude).await? == Scrubbed::Busy {
            self.check()?;
            tokio::time::sleep(BUSY.std()).await;
        }
        let Erasure { subject, opt_outs, .. } = self.erasure;
        loop {
            self.check()?;
            let (number, account) = (subject.number.as_u64(), subject.account.clone());
            let person = Person { number, account, opt_outs: *opt_outs == OptOuts::Forgotten, sends: self.sends() };
            if self.engine.reader.call(move |archive| archive.scrub(&person)).await? == Scrubbed::Clean {
                return Ok(());
            }
            tokio::time::sleep(BUSY.std()).await;
        }
    }

    async fn finish(mut self) -> Result<(), EraseFault> {
        let Erasure { name, .. } = self.erasure;
        self.report.done = self.engine.world.now().0;
        let value = serde_json::to_vec(&self.report).unwrap_or_default();
        let mut notes = vec![(self.engine.erasures.note(self.erasure).0, None), (format!("{DONE}{name}"), Some(value))];
        let mut done = self.engine.reader.notes(DONE.into()).await?;
        if done.len() >= DONE_MAX {
            let when = |value: &[u8]| serde_json::from_slice::<Report>(value).map_or(0, |report| report.done);
            done.sort_by_key(|(_, value)| when(value));
            let oldest = done.into_iter().take(DONE_MAX / 10).map(|(key, _)| (key, None));
            notes.extend(oldest.filter(|(key, _)| *key != format!("{DONE}{name}")));
        }
        WriterNotes(self.engine.writer.clone()).put(notes).await?;
        let Report { messages, events, unreadable, .. } = self.report;
        tracing::info!(erasure = name, messages, events, unreadable, "an erasure by number is over");
        self.engine.erasures.remove(self.erasure);
        Ok(())
    }
}

#[derive(Default)]
struct Rows {
    logs: Vec<LogRow>,
    parts: HashSet<u64>,
    blank: Vec<u64>,
    unreadable: u64,
}

fn read_rows(subject: &Subject, upto: u64, rows: Vec<LogRow>, parts: &HashSet<u64>, is_last: bool) -> Rows {
    let mut found = Rows::default();
    for row in rows.into_iter().filter(|row| row.seq <= upto) {
        if !is_last {
            // Counted by the second look.
            let _ = subject.parts(&row.log, &mut found.parts);
            continue;
        }
        match subject.log(&row.log, parts, &mut found.blank) {
            Ok(None) => {}
            Ok(Some(log)) => found.logs.push(LogRow { seq: row.seq, log: log.into() }),
            Err(_) => found.unreadable += 1,
        }
    }
    found
}
