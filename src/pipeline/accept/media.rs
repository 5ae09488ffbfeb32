//! What the headers of a request say of its body: the format (`Content-Type`) and the compression (`Content-Encoding`).

use crate::pipeline::accept::fault::{BodyFault, Code};

/// How entries are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One document.
    Json,
    /// An object a line.
    Ndjson,
    /// A header and rows.
    Csv,
}

impl Format {
    /// From a `Content-Type` (RFC 9110 clause 8.3). Parameters other than `charset` are not looked at.
    ///
    /// # Errors
    /// `unsupported_media_type` for any other type, and for a charset other than UTF-8 or ASCII.
    pub fn from_content_type(value: &str) -> Result<Format, BodyFault> {
        let mut parts = value.split(';');
        let kind = parts.next().unwrap_or_default().trim();
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(kind));
        let format = if is(&["application/json"]) {
            Format::Json
        } else if is(&["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"]) {
            Format::Ndjson
        } else if is(&["text/csv"]) {
            Format::Csv
        } else {
            return Err(BodyFault::new(Code::UnsupportedMediaType, "", "expected application/json, application/x-ndjson or text/csv"));
        };
        for part in parts {
            let Some((name, value)) = part.split_once('=') else { continue };
            let charset = value.trim().trim_matches('"');
            let is_known = ["utf-8", "utf8", "us-ascii"].iter().any(|known| known.eq_ignore_ascii_case(charset));
            if name.trim().eq_ignore_ascii_case("charset") && !is_known {
                return Err(BodyFault::new(Code::UnsupportedMediaType, "", "expected the charset utf-8"));
            }
        }
        Ok(format)
    }
}

/// How a body is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// Not at all.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// From a `Content-Encoding` (RFC 9110 clause 8.4); empty is `identity`.
    ///
    /// # Errors
    /// `unsupported_encoding` for any other coding, and for more than one layer.
    pub fn from_content_encoding(value: &str) -> Result<Coding, BodyFault> {
        let mut found = Coding::Identity;
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let coding = match name.to_ascii_lowercase().as_str() {
                "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "zstd" => Coding::Zstd,
                _ => return Err(BodyFault::new(Code::UnsupportedEncoding, "", "expected gzip or zstd")),
            };
            if found != Coding::Identity {
                return Err(BodyFault::new(Code::UnsupportedEncoding, "", "expected one layer of compression"));
            }
            found = coding;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_a_format_or_are_refused() {
        for (value, expected) in [
            ("application/json", Some(Format::Json)),
            ("Application/JSON; charset=\"UTF-8\"", Some(Format::Json)),
            ("application/x-ndjson", Some(Format::Ndjson)),
            ("text/csv; header=present; charset=us-ascii", Some(Format::Csv)),
            ("text/csv; charset=iso-8859-1", None),
            ("application/json; charset=utf-16", None),
            ("application/x-www-form-urlencoded", None),
            ("text/json", None),
            ("", None),
        ] {
            let found = Format::from_content_type(value);
            assert_eq!(found.as_ref().ok().copied(), expected, "{value}");
            assert!(found.is_ok_and(|_| true) || expected.is_none());
        }
    }

    #[test]
    fn one_layer_of_gzip_or_zstd_is_taken_off() {
        for (value, expected) in [
            ("", Some(Coding::Identity)),
            ("identity", Some(Coding::Identity)),
            ("GZip", Some(Coding::Gzip)),
            ("x-gzip", Some(Coding::Gzip)),
            ("zstd, identity", Some(Coding::Zstd)),
            ("gzip, gzip", None),
            ("gzip, zstd", None),
            ("deflate", None),
            ("br", None),
        ] {
            assert_eq!(Coding::from_content_encoding(value).ok(), expected, "{value}");
        }
    }
}
