//! What a root field's table is, and how such tables become a part of the schema.

use async_graphql::InputType;
use async_graphql::registry::{Deprecation, MetaInputValue, MetaType, Registry};

use super::object::{Object, Page, guarded_field, register_builtin_scalars};
use crate::auth::Scope;

/// A root field: what is asked of Auth0 with which arguments, and what comes of it.
pub(crate) struct RootField {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) access: Access,
    pub(crate) shape: Shape,
    pub(crate) arguments: &'static [Argument],
}

/// What it takes to be answered.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// The caller and the gateway hold this scope, or Auth0 takes another that the gateway holds for it.
    Of(Scope),
    /// The caller and the gateway hold this scope and no other.
    Strict(Scope),
    /// The caller is a user. What else depends on settings.
    Own,
}

impl Access {
    fn scope(self) -> Option<Scope> {
        match self {
            Self::Of(scope) | Self::Strict(scope) => Some(scope),
            Self::Own => None,
        }
    }
}

/// What a root field answers with. All of them are nullable, so that one that fails leaves its siblings alone.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Page(&'static Page),
    List(&'static Object),
    Record(&'static Object),
}

/// An argument of a [`RootField`].
pub(crate) struct Argument {
    name: &'static str,
    /// Registers the argument's type and returns its name.
    ty: fn(&mut Registry) -> String,
    /// As SDL writes it.
    default: Option<&'static str>,
    description: &'static str,
}

impl Argument {
    pub(crate) const fn new<T: InputType>(name: &'static str, description: &'static str) -> Self {
        Self { name, ty: T::create_type_info, default: None, description }
    }

    pub(crate) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    fn register(&self, registry: &mut Registry) -> (String, MetaInputValue) {
        let value = MetaInputValue {
            name: self.name.to_owned(),
            description: Some(self.description.to_owned()),
            ty: (self.ty)(registry),
            deprecation: Deprecation::NoDeprecated,
            default_value: self.default.map(ToOwned::to_owned),
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            is_secret: false,
            directive_invocations: Vec::new(),
        };
        (self.name.to_owned(), value)
    }
}

impl Shape {
    fn register(self, registry: &mut Registry) -> String {
        match self {
            Self::Page(page) => {
                page.register(registry);
                page.name.to_owned()
            }
            Self::List(object) => {
                object.register(registry);
                format!("[{}!]", object.name)
            }
            Self::Record(object) => {
                object.register(registry);
                object.name.to_owned()
            }
        }
    }
}

/// Adds `fields` to the registered type `root`, before those that it has.
pub(crate) fn register_root_fields(registry: &mut Registry, root: &str, fields: &'static [RootField]) {
    register_builtin_scalars(registry);
    let ours: Vec<_> = fields
        .iter()
        .map(|field| {
            let ty = field.shape.register(registry);
            let (name, mut meta) =
                guarded_field(registry, field.name, field.description, "\n", field.access.scope(), ty);
            meta.args = field.arguments.iter().map(|argument| argument.register(registry)).collect();
            (name, meta)
        })
        .collect();
    if let Some(MetaType::Object { fields, .. }) = registry.types.get_mut(root) {
        let theirs = std::mem::take(fields);
        fields.extend(ours.into_iter().chain(theirs));
    }
}
