//! The schema: every operation of the table, with the types that it needs.

use std::sync::Arc;

use async_graphql::dynamic::{
    Field, FieldFuture, InputValue, Object, ResolverContext, Scalar, Schema, SchemaError,
};
use async_graphql::{Error, ErrorExtensions as _, Value as GraphQlValue};
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::ports::World;
use hookpost_management::Management;
use serde_json::{Map, Value};

use crate::operations::{OPERATIONS, Op};
use crate::shapes::{self, JSON, Shapes};

/// How deep a document may go: the question that tools ask for the schema goes 13 deep.
const MAX_DEPTH: usize = 15;
/// How many fields a document may ask for. The same question asks for about 200.
const MAX_FIELDS: usize = 600;

/// The schema over services with clock and dice `W`.
///
/// # Errors
/// The services' types make no schema: never, once the tests have seen them.
pub(crate) fn build<W>() -> Result<Schema, SchemaError>
where
    W: World + Send + Sync + 'static,
{
    let mut shapes = Shapes::new();
    let mut query = Object::new("Query");
    let mut mutation = Object::new("Mutation");
    let mut answers = Vec::new();
    for (op, name, changes) in OPERATIONS {
        let (arguments, answer, text) = op.describe(&mut shapes);
        let ty = shapes.answer_type(&answer);
        let resolve = resolver::<W>(*op, ty.type_name() == JSON);
        let mut field = Field::new(*name, ty, resolve).description(text);
        for (name, ty) in arguments.fields {
            field = field.argument(InputValue::new(name, ty));
        }
        answers.push(answer);
        if *changes {
            mutation = mutation.field(field);
        } else {
            query = query.field(field);
        }
    }
    let json = Scalar::new(JSON).description("Any JSON");
    let mut schema = Schema::build("Query", Some("Mutation"), None)
        .register(json)
        .limit_depth(MAX_DEPTH)
        .limit_complexity(MAX_FIELDS)
        .register(query)
        .register(mutation);
    for object in shapes.objects(&answers) {
        schema = schema.register(object);
    }
    for object in shapes.input_objects() {
        schema = schema.register(object);
    }
    schema.finish()
}

fn resolver<W>(
    op: Op,
    is_json: bool,
) -> impl for<'a> Fn(ResolverContext<'a>) -> FieldFuture<'a> + Send + Sync
where
    W: World + Send + Sync + 'static,
{
    move |context| {
        FieldFuture::new(async move {
            let services = context.data::<Arc<Management<W>>>()?;
            let caller = context.data::<Caller>()?;
            let given = given(&context);
            match op.run(services, caller, given).await {
                Ok(answer) => Ok(shapes::value(&answer, is_json)),
                Err(problem) => Err(told(&problem)),
            }
        })
    }
}

/// The arguments, as JSON: what is not given is left out, and null is null.
fn given(context: &ResolverContext<'_>) -> Map<String, Value> {
    let fields = context.args.iter().filter_map(|(name, value)| {
        let json = value.as_value().clone().into_json().ok()?;
        Some((name.to_string(), json))
    });
    fields.collect()
}

/// A problem document, as an error.
fn told(problem: &Problem) -> Error {
    let document = serde_json::to_value(problem).unwrap_or_default();
    let text = |name: &str| {
        document
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    Error::new(text("detail")).extend_with(|_, extensions| {
        for name in ["type", "title", "status", "errors"] {
            let value = document.get(name).cloned().map(GraphQlValue::from_json);
            if let Some(Ok(value)) = value {
                extensions.set(name, value);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use hookpost_adapters::RealWorld;

    use super::*;

    const SHOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.graphql");

    /// `UPDATE_SCHEMA=1 cargo test -p graphql` writes it.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "how a test is told to write")]
    fn the_schema_is_the_one_that_is_shown() {
        let schema = build::<RealWorld>().unwrap().sdl();
        if std::env::var("UPDATE_SCHEMA").is_ok() {
            std::fs::write(SHOWN, &schema).unwrap();
        }
        let shown = std::fs::read_to_string(SHOWN).unwrap();
        assert!(
            shown == schema,
            "schema.graphql is not the code's: UPDATE_SCHEMA=1 writes it"
        );
    }

    #[test]
    fn what_changes_something_is_a_mutation() {
        let sdl = build::<RealWorld>().unwrap().sdl();
        for (_, name, changes) in OPERATIONS {
            let root = if *changes {
                "type Mutation {"
            } else {
                "type Query {"
            };
            let (_, from) = sdl.split_once(root).unwrap();
            let (fields, _) = from.split_once("\n}").unwrap();
            assert!(fields.contains(&format!("\t{name}")), "{name}");
        }
    }
}
