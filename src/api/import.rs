//! `POST /v1/suppressions/import`: opt-outs as a stream, NDJSON or CSV, a million lines in one call. Each line is taken or
//! refused by itself; what is taken is committed as it comes and holds from then on, so that a list that breaks off has
//! done no harm and may be sent again whole.

use crate::api::caller::Caller;
use crate::api::object::Object;
use crate::api::people::{Entry, Wrong, admits};
use crate::api::problem::Problem;
use crate::api::query;
use crate::api::reply::{Reply, json};
use crate::api::state::Api;
use crate::api::upload::{Upload, media};
use crate::base::Time;
use crate::config::Scope;
use crate::engine::{Taken, WhenFull};
use crate::pipeline::accept::inflate::After;
use crate::pipeline::accept::{Code, Coding, Format};
use crate::pipeline::journal::Acceptance;
use crate::storage::PersonChange;
use axum::extract::Request;
use csv_core::ReadRecordResult;
use hyper::StatusCode;
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Rows in one commit: some five milliseconds of the journal's writer.
const CHUNK_ROWS: usize = 500;
/// Commits on their way at once.
const FLIGHT_MAX: usize = 2;
/// Refused lines that are named; the others are counted.
const NAMED_MAX: usize = 10_000;
/// Octets unpacked at once, after which others get their turn.
const TURN_BYTES: usize = 32 << 10;
/// Cells of a line that are looked at.
const CELLS_MAX: usize = 16;

/// Takes a list in.
pub(super) async fn post(api: Arc<Api>, request: Request) -> Result<Reply, Problem> {
    let caller = Caller::of(&api, request.headers(), Scope::Send)?;
    query::none(request.uri().query())?;
    api.engine.readiness()?;
    let (format, coding) = media(request.headers())?;
    if format == Format::Json {
        return Err(Problem::header(Code::UnsupportedMediaType, "Content-Type", "expected application/x-ndjson or text/csv"));
    }
    let bytes_max = api.config().http.bulk_bytes_max;
    let mut upload = Upload::new(&api, request.into_body(), bytes_max, None)?;
    let account = caller.name().to_owned();
    let mut import = Import {
        api: &api,
        account,
        lines: Lines::new(&api, format),
        rows: Vec::new(),
        flight: VecDeque::new(),
        outcome: Outcome::default(),
    };
    let mut inflate = if coding == Coding::Identity { None } else { Some(api.inflate(coding, bytes_max)?) };
    let mut plain = Vec::new();
    while let Some(data) = upload.next().await? {
        let Some(inflate) = &mut inflate else {
            for piece in data.chunks(TURN_BYTES) {
                import.read(piece).await?;
            }
            continue;
        };
        let mut packed = &data[..];
        loop {
            plain.clear();
            let progress = inflate.feed(packed, &mut plain, TURN_BYTES)?;
            packed = &packed[progress.taken..];
            import.read(&plain).await?;
            if progress.after == After::Done {
                break;
            }
        }
    }
    if let Some(inflate) = inflate {
        inflate.finish()?;
    }
    import.finish().await
}

/// What became of the lines.
#[derive(Default, Serialize)]
struct Outcome {
    received: u64,
    added: u64,
    refused: u64,
    refused_by: BTreeMap<&'static str, u64>,
    /// The first of the refused.
    errors: Vec<Refusal>,
}

#[derive(Serialize)]
struct Refusal {
    /// From 1, as editors count; a CSV's header is line 1.
    line: u64,
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    field: &'static str,
    detail: &'static str,
}

struct Import<'a> {
    api: &'a Arc<Api>,
    account: String,
    lines: Lines,
    rows: Vec<PersonChange>,
    flight: VecDeque<Taken>,
    outcome: Outcome,
}

impl Import<'_> {
    async fn read(&mut self, data: &[u8]) -> Result<(), Problem> {
        let now = self.api.engine.world.now();
        let mut rest = data;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            self.lines.hold(&rest[..at]);
            rest = &rest[at + 1..];
            self.line(now)?;
            if self.rows.len() >= CHUNK_ROWS {
                self.hand_on().await?;
            }
        }
        self.lines.hold(rest);
        tokio::task::yield_now().await;
        Ok(())
    }

    /// The line that is held is whole.
    fn line(&mut self, now: Time) -> Result<(), Problem> {
        let Some(read) = self.lines.take()? else { return Ok(()) };
        self.outcome.received += 1;
        if self.outcome.received > u64::from(self.api.config().http.bulk_lines_max) {
            return Err(Problem::new(Code::TooManyLines, "more lines than one request may have; those before are kept"));
        }
        match read.and_then(|entry| entry.row(&self.account, "import", now)) {
            Ok(row) => self.rows.push(PersonChange::Suppress(row)),
            Err((code, field, detail)) => {
                self.outcome.refused += 1;
                *self.outcome.refused_by.entry(code.slug()).or_default() += 1;
                if self.outcome.errors.len() < NAMED_MAX {
                    self.outcome.errors.push(Refusal { line: self.lines.line, code: code.slug(), field, detail });
                }
            }
        }
        Ok(())
    }

    /// Commits what has gathered.
    async fn hand_on(&mut self) -> Result<(), Problem> {
        if self.rows.is_empty() {
            return Ok(());
        }
        while self.flight.len() >= FLIGHT_MAX {
            self.land().await?;
        }
        admits(self.api, self.rows.len())?;
        let people = std::mem::take(&mut self.rows);
        self.outcome.added += people.len() as u64;
        let acceptance = Acceptance { people, ..Acceptance::default() };
        self.flight.push_back(self.api.engine.take(acceptance, WhenFull::Wait).await?);
        Ok(())
    }

    async fn land(&mut self) -> Result<(), Problem> {
        if let Some(taken) = self.flight.pop_front() {
            self.api.engine.durable(taken).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<Reply, Problem> {
        if !self.lines.held.is_empty() {
            self.line(self.api.engine.world.now())?;
        }
        self.hand_on().await?;
        while !self.flight.is_empty() {
            self.land().await?;
        }
        Ok(json(StatusCode::OK, &self.outcome))
    }
}

/// Lines out of octets, and entries out of lines. Holds one line at most.
struct Lines {
    format: Format,
    held: Vec<u8>,
    /// The line is longer than may be; its octets are not kept.
    is_too_long: bool,
    bytes_max: usize,
    line: u64,
    /// The places of the columns, once the header is read: number, scope, reason, source, since.
    columns: Option<[Option<usize>; 5]>,
}

const COLUMNS: [&str; 5] = ["number", "scope", "reason", "source", "since"];

impl Lines {
    fn new(api: &Api, format: Format) -> Lines {
        let bytes_max = usize::try_from(api.config().http.line_bytes_max).unwrap_or(usize::MAX);
        Lines { format, held: Vec::new(), is_too_long: false, bytes_max, line: 0, columns: None }
    }

    fn hold(&mut self, octets: &[u8]) {
        if self.held.len() + octets.len() > self.bytes_max {
            self.is_too_long = true;
            // One octet stays, so that the line counts as there.
            self.held.truncate(1);
            if self.held.is_empty() {
                self.held.extend_from_slice(&octets[..octets.len().min(1)]);
            }
        } else if !self.is_too_long {
            self.held.extend_from_slice(octets);
        }
    }

    /// The entry of the line that is held; `None` for one that holds none (empty, or the header).
    fn take(&mut self) -> Result<Option<Result<Entry, Wrong>>, Problem> {
        self.line += 1;
        let mut held = std::mem::take(&mut self.held);
        let was_too_long = std::mem::take(&mut self.is_too_long);
        let line = held.strip_prefix("\u{feff}".as_bytes()).filter(|_| self.line == 1).unwrap_or(&held).trim_ascii();
        let read = if was_too_long {
            Some(Err((Code::LineTooLong, "", "the line is longer than http.line_bytes_max")))
        } else if line.is_empty() {
            None
        } else if self.format != Format::Csv {
            Some(serde_json::from_slice(line).map(|Object(entry)| entry).map_err(|error| match error.is_data() {
                true => (Code::InvalidValue, "", "a field is missing, unknown, given twice or not of its type"),
                false => (Code::MalformedJson, "", "not JSON"),
            }))
        } else if let Some(columns) = &self.columns {
            Some(csv_entry(line, columns))
        } else {
            self.columns = Some(header(line)?);
            None
        };
        held.clear();
        self.held = held;
        Ok(read)
    }
}

/// The places of the columns.
fn header(line: &[u8]) -> Result<[Option<usize>; 5], Problem> {
    let wrong = || Problem::new(Code::BadCsvHeader, "expected the columns number, scope, reason, source and since, each at most once");
    let cells = cells(line).ok_or_else(wrong)?;
    let mut columns = [None; 5];
    for (place, cell) in cells.iter().enumerate() {
        let column = COLUMNS.iter().position(|name| cell.trim().eq_ignore_ascii_case(name)).ok_or_else(wrong)?;
        if columns[column].replace(place).is_some() {
            return Err(wrong());
        }
    }
    if columns[0].is_none() { Err(wrong()) } else { Ok(columns) }
}

fn csv_entry(line: &[u8], columns: &[Option<usize>; 5]) -> Result<Entry, Wrong> {
    let cells = cells(line).ok_or((Code::MalformedCsv, "", "quotes that do not match, not UTF-8, or far too many cells"))?;
    if cells.len() != columns.iter().flatten().count() {
        return Err((Code::ColumnCount, "", "not as many cells as the header has"));
    }
    let cell = |column: usize| columns[column].and_then(|place| cells.get(place)).filter(|cell| !cell.is_empty()).cloned();
    Ok(Entry { number: cell(0).unwrap_or_default(), scope: cell(1), reason: cell(2), source: cell(3), since: cell(4) })
}

/// The cells of one line (RFC 4180; line ends within quotes are not taken).
fn cells(line: &[u8]) -> Option<Vec<String>> {
    let (mut reader, mut out, mut ends) = (csv_core::Reader::new(), vec![0; line.len() + 1], [0; CELLS_MAX]);
    let (result, _, _, count) = reader.read_record(line, &mut out, &mut ends);
    // All of the line is read, and it has not ended: within quotes it would go on.
    let (result, count) = match result {
        ReadRecordResult::InputEmpty => {
            let (end, _, _, more) = reader.read_record(&[], &mut [0; 1], &mut ends[count..]);
            (end, count + more)
        }
        other => (other, count),
    };
    if !matches!(result, ReadRecordResult::Record) || line.iter().filter(|octet| **octet == b'"').count() % 2 == 1 {
        return None;
    }
    let mut start = 0;
    ends[..count]
        .iter()
        .map(|end| {
            let cell = std::str::from_utf8(out.get(start..*end)?).ok()?.to_owned();
            start = *end;
            Some(cell)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_of_rfc_4180_one_line_at_a_time() {
        assert_eq!(
            cells(b"+33612345678,all,\"a \"\"quoted\"\", word\""),
            Some(vec!["+33612345678".into(), "all".into(), "a \"quoted\", word".into()])
        );
        assert_eq!(cells(b"a,,"), Some(vec!["a".into(), String::new(), String::new()]));
        for line in [&b"a,\"b"[..], b"\xff", &[b','; 40]] {
            assert_eq!(cells(line), None);
        }
    }

    #[test]
    fn a_line_too_long_is_refused_by_itself_and_costs_no_memory() {
        let mut lines = Lines { format: Format::Csv, held: Vec::new(), is_too_long: false, bytes_max: 20, line: 0, columns: None };
        lines.hold(b"number,reason");
        assert!(lines.take().expect("a header").is_none());
        for _ in 0..1_000 {
            lines.hold(&[b'1'; 15]);
        }
        assert!(lines.held.len() <= 20);
        assert!(matches!(lines.take().expect("goes on"), Some(Err((Code::LineTooLong, ..)))));
        lines.hold(b"+33612345678,x");
        assert!(matches!(lines.take().expect("goes on"), Some(Ok(entry)) if entry.number == "+33612345678"));
        lines.hold(b"+33612345678");
        assert!(matches!(lines.take().expect("goes on"), Some(Err((Code::ColumnCount, ..)))));
    }
}
