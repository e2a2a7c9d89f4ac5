//! Limits on the cost of a document and of an operation, judged before it is paid.
//!
//! A document is judged by its length, by its tokens before it is parsed, and by a walk over its syntax in which each fragment is
//! measured once, however often it is spread. Then the values of its variables and, in normal form, its
//! [cost](super::plan::cost) and its calls to Auth0 are judged.

mod limiter;
mod tree;
mod variable;

pub(crate) use self::limiter::{ExceededLimit, Limiter};
pub(crate) use self::tree::{check_document, is_introspection};

/// The treatment of a document that is beyond a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Enforcement {
    /// It is refused.
    #[default]
    Enforce,
    /// It is counted and logged, and runs: to learn which limits one's clients need. The limits that keep the process itself from harm,
    /// on nesting, on what validation has to walk and on the values of introspection, hold all
    /// the same.
    Measure,
}

/// Limits on the cost of a document and of an operation.
///
/// Limits that an operator may want to tune are fields; the rest are constants, each with its reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The treatment of whatever is beyond a limit.
    pub enforcement: Enforcement,
    /// The greatest depth of an operation's fields, introspection left out. No data is deeper than four.
    pub depth: u64,
    /// The most values that an operation may ask for: the rows of each page times the fields selected of a row, where a field of
    /// type `JSON` counts as ten. The default is five pages of a hundred users with all that is known of each: some
    /// megabytes of answer.
    pub cost: u64,
    /// The most calls to Auth0 that an operation may make: what one caller may take of a scarce thing at once.
    pub upstream_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { enforcement: Enforcement::Enforce, depth: 10, cost: 50_000, upstream_calls: 20 }
    }
}

/// The greatest length of a document, in bytes. Those of front ends have a few thousand; the body's own limit may be wider, for
/// variables.
const BYTES: u64 = 50_000;
/// The most tokens of a document: what [`FIELDS`] fields take, each with its alias or an argument. Parsing and
/// validation are linear in them.
const TOKENS: u64 = 6_000;
/// The greatest length of a name or a number, in bytes. Validation compares unknown names with known ones letter by letter, and
/// repeats them in its messages.
const WORD: u64 = 200;
/// The greatest depth of brackets, and of selections with their fragments written out. The parser recurses once for each of the
/// former, every other stage for the latter; the standard introspection query needs 17.
const NESTING: u64 = 60;
/// The most fields of an operation with its fragments written out. GraphiQL's introspection query has about 600: nine
/// levels of `ofType` in each of four places.
const FIELDS: u64 = 2_000;
/// The most fields of all operations and fragments together. Each of them is validated by itself with its fragments
/// written out, so that many small ones around one great fragment are as dear as many great ones.
const EXPANSION: u64 = 10 * FIELDS;
/// The most root fields of an operation beyond its calls to Auth0: such as ask Auth0 for nothing, and such as ask the
/// same as another.
const FREE_ROOT_FIELDS: u64 = 30;
/// The most aliases of an operation beyond its calls to Auth0, which aliases tell apart. Only they make an answer hold
/// the same thing many times: fields of one key are one field.
const FREE_ALIASES: u64 = 80;
/// The most directives of an operation with its fragments written out. Relay and Apollo write one or two for each
/// fragment.
const DIRECTIVES: u64 = 100;
/// The greatest depth of introspection. graphql-js's own query has nine levels of `ofType` and comes to 15.
const INTROSPECTION_DEPTH: u64 = 16;
/// The most values that introspection may ask for, by a guess at the lengths of the schema's lists. The fullest query of
/// graphql-js comes to a third; one that asks each field's type for its fields, and again, comes to millions.
const INTROSPECTION_SIZE: u64 = 100_000;
/// The greatest length of an answer, in bytes, whatever else is let pass: a few times what the largest operations come to, and what one
/// of them may take of the memory.
pub(crate) const ANSWER_BYTES: usize = 32 << 20;
/// The most items of a list, in a literal or a variable. Nobody asks for more ids at once than two pages have.
const LIST: u64 = 200;
/// The greatest length of a string, in bytes, in a literal or a variable: twice what a search may have, whose own limit has the
/// clearer words.
const STRING: u64 = 32_000;

/// Something that is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Measure {
    Bytes,
    Tokens,
    Word,
    Nesting,
    Expansion,
    Fields,
    Depth,
    RootFields,
    Aliases,
    Directives,
    IntrospectionDepth,
    IntrospectionSize,
    List,
    String,
    UpstreamCalls,
    Cost,
}

impl Measure {
    /// The measures in their order, each with its name, as errors have it in `extensions.measure`, and its unit, which follows a number.
    const ALL: [(Self, &'static str, &'static str); 16] = [
        (Self::Bytes, "document bytes", "bytes"),
        (Self::Tokens, "tokens", "tokens"),
        (Self::Word, "name length", "bytes in a name or number"),
        (Self::Nesting, "nesting", "levels of nesting"),
        (Self::Expansion, "expansion", "fields in all operations and fragments, with fragments written out"),
        (Self::Fields, "fields", "fields, with fragments written out"),
        (Self::Depth, "depth", "levels of fields"),
        (Self::RootFields, "root fields", "root fields"),
        (Self::Aliases, "aliases", "aliases, with fragments written out"),
        (Self::Directives, "directives", "directives, with fragments written out"),
        (Self::IntrospectionDepth, "introspection depth", "levels of introspection"),
        (Self::IntrospectionSize, "introspection size", "values of introspection"),
        (Self::List, "list length", "items in a list"),
        (Self::String, "string length", "bytes in a string"),
        (Self::UpstreamCalls, "upstream calls", "calls to Auth0"),
        (Self::Cost, "cost", "values, rows times fields"),
    ];

    const fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    const fn unit(self) -> &'static str {
        Self::ALL[self as usize].2
    }

    /// True if the process comes to harm beyond this limit: its stack overflows, a core is busy for good, or an answer from no call
    /// at all grows without bound.
    const fn guards_the_process(self) -> bool {
        matches!(self, Self::Nesting | Self::Expansion | Self::IntrospectionSize)
    }
}

impl Limits {
    fn of(&self, measure: Measure) -> u64 {
        let calls = u64::from(self.upstream_calls);
        match measure {
            Measure::Bytes => BYTES,
            Measure::Tokens => TOKENS,
            Measure::Word => WORD,
            Measure::Nesting => NESTING,
            Measure::Expansion => EXPANSION,
            Measure::Fields => FIELDS,
            Measure::Depth => self.depth,
            Measure::RootFields => calls + FREE_ROOT_FIELDS,
            Measure::Aliases => calls + FREE_ALIASES,
            Measure::Directives => DIRECTIVES,
            Measure::IntrospectionDepth => INTROSPECTION_DEPTH,
            Measure::IntrospectionSize => INTROSPECTION_SIZE,
            Measure::List => LIST,
            Measure::String => STRING,
            Measure::UpstreamCalls => calls,
            Measure::Cost => self.cost,
        }
    }
}

#[cfg(test)]
mod tests;
