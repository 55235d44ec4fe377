//! JSON as it was written: every value keeps its own bytes.
//!
//! A number stays `1.10`, an integer as long as it is. A document is read once, into a flat list of
//! places in its text, by a loop and not by recursion: no nesting overflows the stack. What is
//! nested deeper than [`MAX_DEPTH`] keeps its bytes, but cannot be looked into.

mod number;

use std::borrow::Cow;

use serde_json::value::RawValue;

pub use number::{Decimal, compare as compare_numbers};

/// How deep a value can be looked into.
pub const MAX_DEPTH: usize = 64;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// Text.
    String,
    /// A list.
    Array,
    /// Names and values.
    Object,
    /// A list or an object that is nested too deep to look into.
    Deep,
}

#[derive(Debug, Clone, Copy)]
struct Node<'t> {
    kind: Kind,
    raw: &'t str,
    /// Where the next node is that does not lie within this one.
    next: usize,
}

/// A text of JSON that can be looked into.
#[derive(Debug, Clone)]
pub struct Document<'t> {
    nodes: Vec<Node<'t>>,
}

/// A value within a [`Document`].
#[derive(Debug, Clone, Copy)]
pub struct Json<'d> {
    nodes: &'d [Node<'d>],
    at: usize,
}

impl<'t> Document<'t> {
    /// Reads JSON.
    pub fn of(json: &'t RawValue) -> Self {
        Self {
            nodes: Reader::new(json.get()).read(),
        }
    }

    /// The whole of it.
    pub fn root(&self) -> Json<'_> {
        Json {
            nodes: &self.nodes,
            at: 0,
        }
    }
}

/// Finds the places of values in a text that is known to be JSON. Text that is not gives places
/// that make no sense, and nothing worse.
#[derive(Debug)]
struct Reader<'t> {
    text: &'t str,
    at: usize,
    nodes: Vec<Node<'t>>,
    /// The lists and objects that are being read: their nodes, and where they begin.
    open: Vec<(usize, usize)>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            nodes: Vec::new(),
            open: Vec::new(),
        }
    }

    fn read(mut self) -> Vec<Node<'t>> {
        while let Some(byte) = self.byte() {
            let from = self.at;
            match byte {
                b'{' if self.open.len() < MAX_DEPTH => self.open(Kind::Object),
                b'[' if self.open.len() < MAX_DEPTH => self.open(Kind::Array),
                b'{' | b'[' => {
                    self.skip_nested();
                    self.leaf(Kind::Deep, from);
                }
                b'}' | b']' => {
                    self.at += 1;
                    self.close();
                }
                b'"' => {
                    self.skip_string();
                    self.leaf(Kind::String, from);
                }
                b't' | b'f' | b'n' => {
                    self.skip_while(|byte| byte.is_ascii_lowercase());
                    let kind = if byte == b'n' { Kind::Null } else { Kind::Bool };
                    self.leaf(kind, from);
                }
                b'-' | b'0'..=b'9' => {
                    self.skip_while(|byte| {
                        byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
                    });
                    self.leaf(Kind::Number, from);
                }
                _ => self.at += 1,
            }
        }
        self.nodes
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn since(&self, from: usize) -> &'t str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn open(&mut self, kind: Kind) {
        self.open.push((self.nodes.len(), self.at));
        self.at += 1;
        self.nodes.push(Node {
            kind,
            raw: "",
            next: usize::MAX,
        });
    }

    fn close(&mut self) {
        let Some((node, from)) = self.open.pop() else {
            return;
        };
        let (raw, next) = (self.since(from), self.nodes.len());
        if let Some(node) = self.nodes.get_mut(node) {
            node.raw = raw;
            node.next = next;
        }
    }

    fn leaf(&mut self, kind: Kind, from: usize) {
        let (raw, next) = (self.since(from), self.nodes.len() + 1);
        self.nodes.push(Node { kind, raw, next });
    }

    fn skip_while(&mut self, holds: impl Fn(u8) -> bool) {
        while self.byte().is_some_and(&holds) {
            self.at += 1;
        }
    }

    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.byte() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }

    fn skip_nested(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.byte() {
            match byte {
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

impl<'d> Json<'d> {
    fn node(self) -> Node<'d> {
        const NOTHING: Node<'static> = Node {
            kind: Kind::Null,
            raw: "null",
            next: usize::MAX,
        };
        self.nodes.get(self.at).copied().unwrap_or(NOTHING)
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Its own bytes.
    pub fn raw(self) -> &'d str {
        self.node().raw
    }

    /// Its text, if it is a string.
    pub fn text(self) -> Option<Cow<'d, str>> {
        let node = self.node();
        (node.kind == Kind::String).then(|| text_of(node.raw))
    }

    /// The elements of a list; of anything else, none.
    pub fn items(self) -> impl Iterator<Item = Json<'d>> {
        let is_list = self.kind() == Kind::Array;
        self.children().filter(move |_| is_list)
    }

    /// The names (as they are written) and values of an object; of anything else, none.
    pub fn fields(self) -> impl Iterator<Item = (Json<'d>, Json<'d>)> {
        let is_object = self.kind() == Kind::Object;
        let mut children = self.children().filter(move |_| is_object);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The value under a name. Of several under the same, the last counts.
    pub fn get(self, name: &str) -> Option<Self> {
        let named = self.fields().filter(|(key, _)| key.is_text(name));
        named.last().map(|(_, value)| value)
    }

    /// Whether it is this text.
    pub fn is_text(self, text: &str) -> bool {
        let node = self.node();
        let inner = inside(node.raw);
        node.kind == Kind::String
            && (inner == text || (inner.contains('\\') && unescape(inner) == text))
    }

    fn children(self) -> impl Iterator<Item = Json<'d>> {
        let Self { nodes, at } = self;
        let end = self.node().next.min(nodes.len());
        let within = move |at: &usize| *at < end;
        let first = Some(at + 1).filter(within);
        let after = move |at: &usize| nodes.get(*at).map(|node| node.next).filter(within);
        std::iter::successors(first, after).map(move |at| Json { nodes, at })
    }
}

/// The text of a string as JSON writes it, quotes included.
pub fn text_of(raw: &str) -> Cow<'_, str> {
    let inner = inside(raw);
    if inner.contains('\\') {
        Cow::Owned(unescape(inner))
    } else {
        Cow::Borrowed(inner)
    }
}

fn inside(raw: &str) -> &str {
    raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()
}

/// JSON allows half of a surrogate pair, which is no character: it is read as U+FFFD.
fn unescape(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escaped.chars();
        match chars.next() {
            Some('u') => {
                let (c, after) = unescape_unit(chars.as_str());
                text.push(c);
                rest = after;
                continue;
            }
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some(itself) => text.push(itself),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    text
}

/// The character whose four hex digits `text` begins with, and what follows.
fn unescape_unit(text: &str) -> (char, &str) {
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let after = text.get(4..).unwrap_or_default();
    let Some(high) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, after);
    };
    let low = after.strip_prefix("\\u").and_then(unit);
    if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (high, low) {
        let c = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        let after = after.get(6..).unwrap_or_default();
        return (char::from_u32(c).unwrap_or_default(), after);
    }
    (
        char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
        after,
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    /// The same value, by way of `serde_json`.
    fn rebuilt(json: Json<'_>) -> Value {
        match json.kind() {
            Kind::Object => json
                .fields()
                .map(|(key, value)| (key.text().unwrap().into_owned(), rebuilt(value)))
                .collect(),
            Kind::Array => json.items().map(rebuilt).collect(),
            Kind::String => Value::from(json.text().unwrap()),
            Kind::Null | Kind::Bool | Kind::Number | Kind::Deep => {
                serde_json::from_str(json.raw()).unwrap()
            }
        }
    }

    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Halves: serde_json reads other numbers back with a rounding of its own.
            any::<i32>().prop_map(|n| Value::from(f64::from(n) / 2.0)),
            "\\PC{0,6}|[\"\\\\\u{0}-\u{1f}\u{1F600}]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-c\"\\\\]{0,2}", inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_document_holds_what_was_written(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            let text = raw(&text);
            let document = Document::of(&text);
            prop_assert_eq!(document.root().raw(), text.get());
            prop_assert_eq!(rebuilt(document.root()), value);
        }

        #[test]
        fn text_that_is_no_json_does_not_panic(text in "[\\[\\]{}\",:\\\\u0-9a-f ]{0,40}") {
            let nodes = Reader::new(&text).read();
            let root = Json { nodes: &nodes, at: 0 };
            let _ = (root.raw(), root.text(), root.get("a"), root.items().count());
        }
    }

    #[test]
    fn numbers_and_white_space_keep_their_bytes() {
        let text = raw(r#"{ "a" : 1.10, "b": [ 12345678901234567890123 , 1e999 ] }"#);
        let document = Document::of(&text);
        assert_eq!(document.root().get("a").unwrap().raw(), "1.10");
        let b = document.root().get("b").unwrap();
        assert_eq!(b.raw(), "[ 12345678901234567890123 , 1e999 ]");
        assert_eq!(b.items().nth(1).unwrap().raw(), "1e999");
    }

    #[test]
    fn the_last_of_two_fields_of_a_name_counts_however_it_is_escaped() {
        let text = raw(r#"{"a":1,"\u0061":2,"b":3}"#);
        assert_eq!(Document::of(&text).root().get("a").unwrap().raw(), "2");
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        assert_eq!(text_of(r#""\ud83d\ude00""#), "\u{1F600}");
        assert_eq!(
            text_of(r#""a\ud83d\u0041\ude00""#),
            "a\u{fffd}\u{41}\u{fffd}"
        );
    }

    #[test]
    fn no_nesting_is_too_deep_to_read() {
        let deep = format!("[{}\"]\"{},7]", "[".repeat(100_000), "]".repeat(100_000));
        let text = raw(&deep);
        let document = Document::of(&text);
        assert_eq!(document.root().items().nth(1).unwrap().raw(), "7");
        let mut at = document.root();
        while let Some(inner) = at.items().next() {
            at = inner;
        }
        assert_eq!(at.kind(), Kind::Deep);
        assert!(at.raw().starts_with("[[[") && at.raw().ends_with("]]]"));
    }
}
