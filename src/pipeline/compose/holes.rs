//! Texts with holes: `Hello {{first}}, your code is {{ code }}`, read once, filled in for each recipient.
//!
//! A hole is `{{`, a name (a letter or `_`, then letters, digits, `_ . -`; at most [`NAME_OCTETS_MAX`]), `}}`, with white
//! space allowed round the name. `{{{{` stands for a literal `{{`; everything else, `}}` included, stands for itself.
//! There is no logic, and a value is never read as a template. Reading fails with a [`HoleFault`] that says where;
//! filling in fails on a missing value or a text too long, and allocates nothing once the buffer has grown.

/// Longest name, in octets.
pub const NAME_OCTETS_MAX: usize = 64;

/// What a template may be at most.
#[derive(Clone, Copy, Debug)]
pub struct TemplateLimits {
    /// Octets of the source, at most 4 GiB.
    pub octets_max: u32,
    /// Holes, a name used twice counted twice.
    pub holes_max: u16,
}

impl Default for TemplateLimits {
    /// 64 KiB is ten times what 255 segments carry; 64 holes is more than any text of a person holds.
    fn default() -> Self {
        TemplateLimits { octets_max: 64 * 1024, holes_max: 64 }
    }
}

/// Why a text is no template. `at` is the octet of the source where the hole begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HoleFault {
    /// `{{` without `}}`.
    #[error("a hole of the template is not closed")]
    Unclosed {
        /// Octets before the hole.
        at: usize,
    },
    /// The name is empty, too long, or has a character that names do not have.
    #[error("a hole of the template has no valid name")]
    Name {
        /// Octets before the hole.
        at: usize,
    },
    /// More than [`TemplateLimits::holes_max`].
    #[error("the template has too many holes")]
    Holes {
        /// Octets before the first hole that is too many.
        at: usize,
    },
    /// More than [`TemplateLimits::octets_max`].
    #[error("the template is too long")]
    TooLong,
}

/// Why a template cannot be filled in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RenderFault {
    /// No value for this one of [`Holes::names`].
    #[error("a value of the template is missing")]
    Missing(usize),
    /// The text would be longer than allowed.
    #[error("the text filled in is too long")]
    TooLong,
}

/// A template that was read: literals and holes by turns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holes {
    /// All literal text, one piece after the other.
    literal: Box<str>,
    /// The holes in their order. What is left of `literal` behind the last is the end of the text.
    holes: Box<[Hole]>,
    names: Box<[Box<str>]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Hole {
    /// The literal before this hole ends here; it begins where that of the hole before ended.
    literal_end: u32,
    /// Which of the names.
    name: u16,
}

impl Holes {
    /// Reads a template.
    ///
    /// # Errors
    /// [`HoleFault`], for the first thing that is wrong.
    pub fn compile(source: &str, limits: TemplateLimits) -> Result<Holes, HoleFault> {
        if source.len() > limits.octets_max as usize {
            return Err(HoleFault::TooLong);
        }
        let (mut literal, mut holes, mut names) = (String::new(), Vec::new(), Vec::<Box<str>>::new());
        let mut rest = source;
        while let Some((before, behind)) = rest.split_once("{{") {
            literal.push_str(before);
            if let Some(behind) = behind.strip_prefix("{{") {
                literal.push_str("{{");
                rest = behind;
                continue;
            }
            let at = source.len() - behind.len() - 2;
            let (name, behind) = behind.split_once("}}").ok_or(HoleFault::Unclosed { at })?;
            let name = name.trim();
            if !is_name(name) {
                return Err(HoleFault::Name { at });
            }
            if holes.len() >= usize::from(limits.holes_max) {
                return Err(HoleFault::Holes { at });
            }
            // At most as many names as holes: looking through them is cheaper than a map.
            let name = names.iter().position(|known| **known == *name).unwrap_or_else(|| {
                names.push(name.into());
                names.len() - 1
            });
            holes.push(Hole { literal_end: literal.len() as u32, name: name as u16 });
            rest = behind;
        }
        literal.push_str(rest);
        Ok(Holes { literal: literal.into(), holes: holes.into(), names: names.into() })
    }

    /// The names, each once, in the order of their first holes.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The text itself if there is no hole in it.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        self.holes.is_empty().then_some(&*self.literal)
    }

    /// Appends the text to `out`, asking `lookup` for the value of each hole by its name. `len_max` bounds the octets
    /// appended.
    ///
    /// # Errors
    /// [`RenderFault`]; `out` is then as it was.
    pub fn render<'v>(&self, mut lookup: impl FnMut(&str) -> Option<&'v str>, out: &mut String, len_max: usize) -> Result<(), RenderFault> {
        self.fill(|name| lookup(&self.names[name]), out, len_max)
    }

    /// As [`Holes::render`], with the values in the order of [`Holes::names`]; those beyond are not used.
    ///
    /// # Errors
    /// [`RenderFault`]; `out` is then as it was.
    pub fn render_slots(&self, values: &[&str], out: &mut String, len_max: usize) -> Result<(), RenderFault> {
        self.fill(|name| values.get(name).copied(), out, len_max)
    }

    #[inline]
    fn fill<'v>(&self, mut value_of: impl FnMut(usize) -> Option<&'v str>, out: &mut String, len_max: usize) -> Result<(), RenderFault> {
        let before = out.len();
        // Checked before each value, so that no value however long is copied beyond what is allowed.
        let mut left = match len_max.checked_sub(self.literal.len()) {
            Some(left) => left,
            None => return Err(RenderFault::TooLong),
        };
        let mut from = 0;
        for hole in &self.holes {
            let name = usize::from(hole.name);
            let fault = match value_of(name) {
                None => RenderFault::Missing(name),
                Some(value) if value.len() > left => RenderFault::TooLong,
                Some(value) => {
                    let to = hole.literal_end as usize;
                    out.push_str(&self.literal[from..to]);
                    out.push_str(value);
                    left -= value.len();
                    from = to;
                    continue;
                }
            };
            out.truncate(before);
            return Err(fault);
        }
        out.push_str(&self.literal[from..]);
        Ok(())
    }
}

/// `[A-Za-z_][A-Za-z0-9_.-]{0,63}`.
fn is_name(name: &str) -> bool {
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let other = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    name.len() <= NAME_OCTETS_MAX && name.bytes().next().is_some_and(first) && name.bytes().all(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(source: &str) -> Result<Holes, HoleFault> {
        Holes::compile(source, TemplateLimits::default())
    }

    fn filled(source: &str, values: &[(&str, &str)]) -> Result<String, RenderFault> {
        let mut out = String::new();
        let lookup = |name: &str| values.iter().find(|value| value.0 == name).map(|value| value.1);
        read(source).expect("a template").render(lookup, &mut out, 1000)?;
        Ok(out)
    }

    #[test]
    fn holes_are_filled_in_by_name() {
        let values = [("first", "Zoé"), ("code", "4711"), ("shop.city-2", "Lyon")];
        assert_eq!(filled("Hello {{first}}, {{ code }} = {{\n code\t}}", &values), Ok("Hello Zoé, 4711 = 4711".into()));
        assert_eq!(filled("{{first}}{{shop.city-2}}", &values), Ok("ZoéLyon".into()));
        assert_eq!(filled("", &values), Ok(String::new()));
    }

    #[test]
    fn a_name_used_twice_is_one_name() {
        let template = read("{{b}} {{a}} {{b}}").expect("a template");
        assert_eq!(template.names(), [Box::from("b"), Box::from("a")]);
        let mut out = String::from("> ");
        assert_eq!(template.render_slots(&["1", "2", "unused"], &mut out, 5), Ok(()));
        assert_eq!(out, "> 1 2 1");
    }

    #[test]
    fn four_braces_are_two_and_closing_ones_stand_for_themselves() {
        assert_eq!(filled("{{{{a}} {b} } }} {{{{{{a}}", &[("a", "1")]), Ok("{{a}} {b} } }} {{1".into()));
        assert_eq!(filled("{", &[]), Ok("{".into()));
        assert_eq!(read("a {{{{b}}").expect("a template").constant(), Some("a {{b}}"));
        assert_eq!(read("a {{b}}").expect("a template").constant(), None);
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        assert_eq!(filled("{{a}}{{b}}", &[("a", "{{b}}"), ("b", "{{a}}")]), Ok("{{b}}{{a}}".into()));
    }

    #[test]
    fn what_is_no_template_says_why_and_where() {
        for (source, fault) in [
            ("é {{a", HoleFault::Unclosed { at: 3 }),
            ("{{a}} {{", HoleFault::Unclosed { at: 6 }),
            ("{{a} }", HoleFault::Unclosed { at: 0 }),
            ("{{}}", HoleFault::Name { at: 0 }),
            ("x{{  }}", HoleFault::Name { at: 1 }),
            ("{{1a}}", HoleFault::Name { at: 0 }),
            ("{{-a}}", HoleFault::Name { at: 0 }),
            ("{{a b}}", HoleFault::Name { at: 0 }),
            ("{{prénom}}", HoleFault::Name { at: 0 }),
            ("{{{a}}}", HoleFault::Name { at: 0 }),
            ("{{#if a}}", HoleFault::Name { at: 0 }),
        ] {
            assert_eq!(read(source), Err(fault), "{source}");
        }
    }

    #[test]
    fn limits_hold_to_the_last_one_allowed() {
        let name = "n".repeat(NAME_OCTETS_MAX);
        assert!(read(&format!("{{{{{name}}}}}")).is_ok());
        assert_eq!(read(&format!("{{{{{name}n}}}}")), Err(HoleFault::Name { at: 0 }));
        assert!(read(&"{{a}}".repeat(64)).is_ok());
        assert_eq!(read(&"{{a}}".repeat(65)), Err(HoleFault::Holes { at: 64 * 5 }));
        let limits = TemplateLimits { octets_max: 4, ..TemplateLimits::default() };
        assert!(Holes::compile("1234", limits).is_ok());
        assert_eq!(Holes::compile("12345", limits), Err(HoleFault::TooLong));
    }

    #[test]
    fn a_fault_leaves_the_buffer_as_it_was() {
        let template = read("Hi {{a}}, {{b}}!").expect("a template");
        let mut out = String::from("kept");
        assert_eq!(template.render_slots(&["1"], &mut out, 1000), Err(RenderFault::Missing(1)));
        assert_eq!(template.render_slots(&["1", "22"], &mut out, 8), Err(RenderFault::TooLong));
        assert_eq!(template.render_slots(&["1", "2"], &mut out, 5), Err(RenderFault::TooLong));
        assert_eq!(out, "kept");
        assert_eq!(template.render_slots(&["1", "2"], &mut out, 8), Ok(()));
        assert_eq!(out, "keptHi 1, 2!");
    }

    proptest! {
        #[test]
        fn any_source_is_read_or_refused_and_never_longer_filled_in_than_allowed(
            source in "([{}a é]|\\{\\{|\\}\\}|\\{\\{a\\}\\}){0,60}", value: String, len_max in 0usize..200,
        ) {
            if let Ok(template) = read(&source) {
                let mut out = String::new();
                match template.render(|_| Some(&value), &mut out, len_max) {
                    Ok(()) => prop_assert!(out.len() <= len_max),
                    Err(fault) => prop_assert_eq!((fault, out.len()), (RenderFault::TooLong, 0)),
                }
            }
        }

        #[test]
        fn a_text_with_its_braces_doubled_is_itself(text in "[{}a]{0,40}") {
            let source = text.replace("{{", "{{{{");
            let template = read(&source).expect("a template");
            prop_assert_eq!(template.constant(), Some(&text[..]));
        }
    }
}
