//! The law of a running gateway and where its rules are read again: at start, on a signal, on request. What is read comes
//! from a function of the program; what becomes of it is told in the log, with every override and every holiday table
//! that ends. A mistake leaves the rules in use.

use crate::base::Time;
use crate::config::Config;
use crate::directory::Consent;
use crate::directory::judge::{Law, Sources};
use crate::telemetry::Gauge;
use std::sync::{Arc, OnceLock};

/// Reads what the section `[rules]` names; the error says which file.
pub type ReadRules = Box<dyn Fn() -> Result<Sources, String> + Send + Sync>;

/// See the module.
pub struct Rules {
    /// What all judges ask.
    pub law: Arc<Law>,
    read: OnceLock<ReadRules>,
    endings: Gauge,
}

impl Rules {
    /// The law of a configuration. `endings` shows the holiday tables that end.
    #[must_use]
    pub fn new(config: &Config, consent: Arc<Consent>, endings: Gauge) -> Rules {
        Rules { law: Arc::new(Law::new(config).knowing(consent)), read: OnceLock::new(), endings }
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
        let sources = self.read.get().map_or_else(|| Ok(Sources::default()), |read| read());
        let taken = sources.and_then(|sources| self.law.hours.reload(&sources, now).map_err(|fault| fault.to_string()));
        match &taken {
            Ok(is_new) => self.tell(*is_new, now),
            Err(why) => tracing::error!(why, "rules or time zones are refused; those in use stay"),
        }
        taken
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
