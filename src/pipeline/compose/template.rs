//! A text as the customer wrote it, read once for all its recipients: constant, with plain holes ([`Holes`], no allocation a
//! recipient), or with filters and conditions ([`Script`]). What is wrong with it is told with line and column.

use super::holes::{HoleFault, Holes, RenderFault, TemplateLimits};
use super::script::{Failed, Script, Wrong};
use super::values::Values;
use crate::pipeline::accept::{Code, Refusal};

/// A rendered text is at most so long: 64 segments of 153 characters in four octets each.
pub const RENDERED_MAX: usize = 40_000;

/// A text that was read.
#[derive(Debug)]
pub enum Template {
    /// Names to be replaced, or none at all.
    Holes(Holes),
    /// Filters and conditions.
    Script(Box<Script>),
}

/// Whether a text has anything to be read.
#[must_use]
pub fn is_template(text: &str) -> bool {
    memchr::memchr_iter(b'{', text.as_bytes()).any(|at| matches!(text.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')))
}

impl Template {
    /// Reads a text. `pointer` is where it stands in the request.
    ///
    /// # Errors
    /// `template_error` with line and column.
    pub fn compile(source: &str, pointer: &str) -> Result<Template, Refusal> {
        let told = |at: usize, why: &str| {
            let before = &source[..source.floor_char_boundary(at)];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Refusal::new(Code::TemplateError, pointer.to_owned(), format!("line {line}, column {column}: {why}"))
        };
        let limits = TemplateLimits::default();
        if source.len() > limits.octets_max as usize {
            return Err(Refusal::new(Code::TemplateError, pointer.to_owned(), "the template is too long"));
        }
        let has_statements = source.contains("{%") || source.contains("{#");
        if !has_statements {
            match Holes::compile(source, limits) {
                Ok(holes) => return Ok(Template::Holes(holes)),
                Err(HoleFault::Name { .. }) => {}
                Err(fault @ (HoleFault::Unclosed { at } | HoleFault::Holes { at })) => return Err(told(at, &fault.to_string())),
                Err(fault @ HoleFault::TooLong) => return Err(told(0, &fault.to_string())),
            }
        }
        Script::compile(source).map(|script| Template::Script(Box::new(script))).map_err(|Wrong { at, why }| told(at, &why))
    }

    /// Whether it says the same to everybody, at any time.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match self {
            Template::Holes(holes) => holes.constant().is_some(),
            Template::Script(_) => false,
        }
    }

    /// Puts the text into `out`, which is emptied before.
    ///
    /// # Errors
    /// `missing_param`, `template_error`, `too_many_segments` (too long to be counted).
    pub fn render(&self, values: &Values<'_>, out: &mut String) -> Result<(), Refusal> {
        out.clear();
        let missing =
            |name: &str| Refusal::new(Code::MissingParam, "/params", format!("the text names {name}, and the line does not give it"));
        let too_long = || Refusal::new(Code::TooManySegments, "/text", "too long once its parameters are in");
        match self {
            Template::Holes(holes) => holes.render(|name| values.get(name), out, RENDERED_MAX).map_err(|fault| match fault {
                RenderFault::Missing(index) => missing(holes.names().get(index).map_or("", |name| name)),
                RenderFault::TooLong => too_long(),
            }),
            Template::Script(script) => script.render(values.iter(), out, RENDERED_MAX).map_err(|failed| match failed {
                Failed::Missing(name) => missing(&name),
                Failed::TooLong => too_long(),
                Failed::Other(why) => Refusal::new(Code::TemplateError, "/text", why),
            }),
        }
    }
}
