//! Placeholder: the GraphQL schema.

/// The schema in SDL.
#[must_use]
pub fn sdl() -> String {
    "type Query {\n  placeholder: Boolean\n}\n".to_owned()
}
