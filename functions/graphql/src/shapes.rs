//! From the JSON Schemas of what services read and answer to GraphQL's types. Pure.
//!
//! Objects become types of the same name and fields. What GraphQL has no type for (maps, values of
//! several shapes, a caller's own JSON) is the scalar `JSON`.

use std::collections::BTreeSet;

use async_graphql::Value as GraphQlValue;
use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputObject, InputValue, Object, TypeRef,
};
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value};

/// The scalar for everything else.
pub(crate) const JSON: &str = "JSON";

/// The shapes that were asked for.
pub(crate) struct Shapes {
    answers: SchemaGenerator,
    inputs: SchemaGenerator,
}

/// What an operation takes.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Names and types.
    pub(crate) fields: Vec<(String, TypeRef)>,
}

impl Arguments {
    /// And an id.
    pub(crate) fn id(mut self) -> Self {
        let id = ("id".to_owned(), TypeRef::named_nn(TypeRef::STRING));
        self.fields.insert(0, id);
        self
    }
}

impl Shapes {
    pub(crate) fn new() -> Self {
        let settings = SchemaSettings::draft2020_12;
        Self {
            answers: settings().for_serialize().into_generator(),
            inputs: settings().for_deserialize().into_generator(),
        }
    }

    /// The shape of an answer.
    pub(crate) fn answer<T: JsonSchema>(&mut self) -> Value {
        self.answers.subschema_for::<T>().to_value()
    }

    /// Each field of `T` as an argument.
    pub(crate) fn arguments<T: JsonSchema>(&mut self) -> Arguments {
        let shape = self.inputs.subschema_for::<T>().to_value();
        let Inside { known, .. } = self.inputs();
        let fields = properties(resolve(&shape, &known));
        let inside = self.inputs();
        Arguments {
            fields: fields
                .map(|(name, shape, _)| (name.clone(), inside.type_of(shape).nullable()))
                .collect(),
        }
    }

    /// `T` as the argument `input`.
    pub(crate) fn input<T: JsonSchema>(&mut self) -> Arguments {
        let shape = self.inputs.subschema_for::<T>().to_value();
        let ty = self.inputs().type_of(&shape).not_null();
        Arguments {
            fields: vec![("input".to_owned(), ty)],
        }
    }

    /// The type of an answer.
    pub(crate) fn answer_type(&self, shape: &Value) -> TypeRef {
        Inside::of(&self.answers, "").type_of(shape).reference()
    }

    fn inputs(&self) -> Inside {
        Inside::of(&self.inputs, "Input")
    }

    /// All types that these answers need.
    pub(crate) fn objects(&self, answers: &[Value]) -> Vec<Object> {
        let inside = Inside::of(&self.answers, "");
        let names = inside.reached(answers.iter());
        let objects = names.iter().filter_map(|name| {
            let shape = inside.known.get(name)?;
            let fields = properties(shape).map(|(name, shape, required)| {
                let ty = inside.type_of(shape).required(required).reference();
                output(name, ty)
            });
            Some(fields.fold(described(Object::new(name), shape), Object::field))
        });
        objects.collect()
    }

    /// All types that these inputs need.
    pub(crate) fn input_objects(&self) -> Vec<InputObject> {
        let inside = self.inputs();
        let objects = inside.known.iter().filter(|(_, shape)| is_object(shape));
        let objects = objects.map(|(name, shape)| {
            let fields = properties(shape)
                .map(|(name, shape, _)| InputValue::new(name, inside.type_of(shape).nullable()));
            let object = InputObject::new(format!("{name}{}", inside.suffix));
            fields.fold(object, InputObject::field)
        });
        objects.collect()
    }
}

/// One side's definitions.
struct Inside {
    known: Map<String, Value>,
    suffix: &'static str,
}

/// A type, and whether null is one of its values.
struct Typed {
    ty: TypeRef,
    may_be_null: bool,
}

impl Typed {
    fn named(name: impl Into<String>) -> Self {
        Self {
            ty: TypeRef::named(name),
            may_be_null: false,
        }
    }

    fn required(self, required: bool) -> Self {
        let may_be_null = self.may_be_null || !required;
        Self {
            may_be_null,
            ..self
        }
    }

    fn nullable(self) -> TypeRef {
        self.ty
    }

    fn not_null(self) -> TypeRef {
        TypeRef::NonNull(Box::new(self.ty))
    }

    fn reference(self) -> TypeRef {
        if self.may_be_null {
            self.nullable()
        } else {
            self.not_null()
        }
    }
}

impl Inside {
    fn of(generator: &SchemaGenerator, suffix: &'static str) -> Self {
        Self {
            known: generator.definitions().clone(),
            suffix,
        }
    }

    fn type_of(&self, shape: &Value) -> Typed {
        if let Some(name) = reference(shape) {
            return match self.known.get(name) {
                Some(known) if is_object(known) => Typed::named(format!("{name}{}", self.suffix)),
                Some(known) => self.type_of(known),
                None => json_value(),
            };
        }
        for several in ["anyOf", "oneOf", "allOf"] {
            if let Some(shapes) = shape.get(several).and_then(Value::as_array) {
                let (nulls, others): (Vec<_>, Vec<_>) = shapes.iter().partition(|s| is_null(s));
                // An enum: its values are documented, not checked here.
                if others.iter().all(|shape| is_text(shape)) {
                    return Typed::named(TypeRef::STRING).required(nulls.is_empty());
                }
                let [one] = others.as_slice() else {
                    return json_value();
                };
                return self.type_of(one).required(nulls.is_empty());
            }
        }
        let names: Vec<&str> = match shape.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => return json_value(),
        };
        let may_be_null = names.contains(&"null");
        let others: Vec<_> = names.into_iter().filter(|name| *name != "null").collect();
        let typed = match others.as_slice() {
            ["string"] => Typed::named(TypeRef::STRING),
            ["integer"] => Typed::named(TypeRef::INT),
            ["number"] => Typed::named(TypeRef::FLOAT),
            ["boolean"] => Typed::named(TypeRef::BOOLEAN),
            ["array"] => {
                let items = shape.get("items").unwrap_or(&Value::Null);
                let items = self.type_of(items).reference();
                Typed {
                    ty: TypeRef::List(Box::new(items)),
                    may_be_null: false,
                }
            }
            _ => return json_value(),
        };
        typed.required(!may_be_null)
    }

    /// The objects that shapes lead to.
    fn reached<'a>(&'a self, shapes: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<&Value> = shapes.collect();
        while let Some(shape) = open.pop() {
            match shape {
                Value::Object(fields) => {
                    if let Some(name) = reference(shape)
                        && let Some(known) = self.known.get(name)
                        && reached.insert(name.to_owned())
                    {
                        open.push(known);
                    }
                    open.extend(fields.values());
                }
                Value::Array(items) => open.extend(items),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        reached.retain(|name| self.known.get(name).is_some_and(is_object));
        reached
    }
}

fn json_value() -> Typed {
    Typed {
        ty: TypeRef::named(JSON),
        may_be_null: true,
    }
}

fn reference(shape: &Value) -> Option<&str> {
    shape.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

fn resolve<'a>(shape: &'a Value, known: &'a Map<String, Value>) -> &'a Value {
    reference(shape)
        .and_then(|name| known.get(name))
        .unwrap_or(shape)
}

fn is_null(shape: &Value) -> bool {
    shape.get("type").is_some_and(|name| name == "null")
}

fn is_text(shape: &Value) -> bool {
    shape.get("type").is_some_and(|name| name == "string")
}

fn is_object(shape: &Value) -> bool {
    shape.get("properties").is_some_and(Value::is_object)
}

/// Fields: name, shape, and whether it is always there.
fn properties(shape: &Value) -> impl Iterator<Item = (&String, &Value, bool)> {
    let required = shape.get("required").and_then(Value::as_array);
    let fields = shape.get("properties").and_then(Value::as_object);
    fields.into_iter().flatten().map(move |(name, shape)| {
        let required = required.is_some_and(|names| names.iter().any(|one| one == name));
        (name, shape, required)
    })
}

fn described(object: Object, shape: &Value) -> Object {
    match shape.get("description").and_then(Value::as_str) {
        Some(text) => object.description(text),
        None => object,
    }
}

/// A field of an answer: its part of the JSON that the service gave.
fn output(name: &str, ty: TypeRef) -> Field {
    let key = name.to_owned();
    let is_json = ty.type_name() == JSON;
    Field::new(name, ty, move |context| {
        let whole = context.parent_value.downcast_ref::<Value>();
        let part = whole
            .and_then(|whole| whole.get(&key))
            .unwrap_or(&Value::Null);
        FieldFuture::Value(value(part, is_json))
    })
}

/// JSON as GraphQL passes it on: objects to be looked into, and the rest as it is.
pub(crate) fn value(json: &Value, is_json: bool) -> Option<FieldValue<'static>> {
    match json {
        Value::Null => None,
        Value::Object(_) if !is_json => Some(FieldValue::owned_any(json.clone())),
        Value::Array(items) if !is_json => {
            let items = items.iter().map(|item| value(item, false));
            Some(FieldValue::list(
                items.map(|item| item.unwrap_or(FieldValue::NULL)),
            ))
        }
        Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => GraphQlValue::from_json(json.clone())
            .ok()
            .map(FieldValue::value),
    }
}
