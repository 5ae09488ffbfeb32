//! The law of a running gateway and where its rules are read again: at start, on a signal, on request. What is read comes
//! from a function of the program; what becomes of it is told in the log, with every override and every holiday table
//! that ends. A mistake leaves the rules in use. What is in use, and what it replaced, is kept in the journal's notes.

use crate::base::Time;
use crate::config::Config;
use crate::directory::Consent;
use crate::directory::judge::{Law, LawFault, Sources};
use crate::engine::kept::{self, Shelved};
use crate::engine::mailbox::Mailbox;
use crate::engine::writer::ToWriter;
use crate::storage::{Archive, Recovered, StoreFault};
use crate::telemetry::Gauge;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Reads what the section `[rules]` names; the error says which file.
pub type ReadRules = Box<dyn Fn() -> Result<Sources, String> + Send + Sync>;

/// See the module.
pub struct Rules {
    /// What all judges ask.
    pub law: Arc<Law>,
    read: OnceLock<ReadRules>,
    endings: Gauge,
    /// What is kept.
    shelved: Mutex<Shelved>,
    writer: Arc<Mailbox<ToWriter>>,
}

/// Why rules were not taken.
enum Refusal {
    /// The files cannot be read.
    Files(String),
    Law(LawFault),
}

impl Rules {
    /// The law of a configuration. `endings` shows the holiday tables that end.
    #[must_use]
    pub(crate) fn new(config: &Config, consent: Arc<Consent>, endings: Gauge, writer: Arc<Mailbox<ToWriter>>) -> Rules {
        let law = Arc::new(Law::new(config).knowing(consent));
        Rules { law, read: OnceLock::new(), endings, shelved: Mutex::default(), writer }
    }

    /// Takes back what was in use before the last end, and what it had replaced. To be called before anything can be leased.
    ///
    /// # Errors
    /// When the notes cannot be read for other reasons than damage: with damage, messages with rules wait instead, until
    /// whatever was replaced would be asked no more.
    pub(crate) fn recall(&self, config: &Config, recovered: &Recovered, archive: &dyn Archive, now: Time) -> Result<(), StoreFault> {
        let kept::Recalled { generations, shelved, unsure_until } = kept::read(archive, recovered, config.consent.after_loss, now)?;
        *self.shelved.lock().unwrap_or_else(PoisonError::into_inner) = shelved;
        let lost = self.law.hours.recall(generations, unsure_until, config.consent.after_loss, now);
        if let Some(until) = unsure_until.max(lost) {
            let until = until.rfc3339();
            tracing::error!(
                until,
                "it is not known which rules were replaced: messages with rules wait; consent.after_loss = \"send\" lets them go"
            );
        }
        Ok(())
    }

    /// The first reading, at start. When rules were replaced too often within seven days, messages with rules wait until a
    /// later reading is taken.
    ///
    /// # Errors
    /// As `reload`.
    pub fn begin(&self, now: Time) -> Result<(), String> {
        match self.take(now) {
            Err(Refusal::Law(fault @ LawFault::TooOften)) => {
                self.law.hours.shut();
                tracing::error!(%fault, "messages with rules wait until rules can be read again");
                Ok(())
            }
            Err(Refusal::Law(fault)) => Err(fault.to_string()),
            Err(Refusal::Files(why)) => Err(why),
            Ok(_) => Ok(()),
        }
    }

    /// Says where rules are read from; the first word holds. Without it there is only what is in the program.
    pub fn read_by(&self, read: ReadRules) {
        let _ = self.read.set(read);
    }

    /// Reads them, and takes them whole. Whether anything is new. Opens files: not for a thread that others wait for.
    ///
    /// # Errors
    /// What is wrong, with file or account, and key; what was in use stays.
    pub fn reload(&self, now: Time) -> Result<bool, String> {
        self.take(now).map_err(|refusal| {
            let why = match refusal {
                Refusal::Files(why) => why,
                Refusal::Law(fault) => fault.to_string(),
            };
            tracing::error!(why, "rules or time zones are refused; those in use stay");
            why
        })
    }

    fn take(&self, now: Time) -> Result<bool, Refusal> {
        let sources = self.read.get().map_or_else(|| Ok(Sources::default()), |read| read()).map_err(Refusal::Files)?;
        let is_new = self.law.hours.reload(sources, now).map_err(Refusal::Law)?;
        self.keep(now);
        self.tell(is_new, now);
        Ok(is_new)
    }

    /// Has the journal keep what is in use and what must still allow. Nothing waits for it: what was in use before a crash is
    /// asked for seven days more when the files bring something else.
    fn keep(&self, now: Time) {
        let mut shelved = self.shelved.lock().unwrap_or_else(PoisonError::into_inner);
        let notes = kept::write(self.law.hours.kept(now), &mut shelved);
        if !notes.is_empty() {
            let (reply, _) = tokio::sync::oneshot::channel();
            self.writer.force(ToWriter::Notes { notes, reply });
        }
    }

    /// Looks at the holiday tables.
    pub fn look(&self, now: Time) {
        self.endings.set(i64::try_from(self.law.hours.hours().endings(now).len()).unwrap_or(i64::MAX));
    }

    fn tell(&self, is_new: bool, now: Time) {
        let overview = self.law.hours.overview(now);
        let (rules, zones) = (&overview.pack, &overview.zones);
        tracing::info!(rules, zones, is_new, former = overview.former.len(), "rules and time zones are in force");
        for one in overview.loosened.iter().filter(|one| !one.is_over) {
            let until = one.until.map(Time::rfc3339);
            tracing::warn!(account = one.account, rule = one.rule, to = one.to, by = one.by, why = one.why, until, "a rule is loosened");
        }
        for one in &overview.endings {
            let (calendar, last_year) = (&one.calendar, one.last_year);
            tracing::warn!(calendar, last_year, "a holiday table ends: after its last year nothing with its rules goes");
        }
        self.look(now);
    }
}
