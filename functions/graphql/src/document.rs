//! What a document is after, before any of it is done.

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{OperationType, Selection};
use hookpost_adapters::api::Problem;
use hookpost_domain::Invalid;

/// Queries and mutations in a document, aliases and all: each is a call of the API.
const MAX_CALLS: usize = 10;

/// What a document is after.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Intent {
    /// Whether any of its operations changes something.
    pub(crate) changes: bool,
    /// What is at its root.
    names: Vec<String>,
}

impl Intent {
    /// What `query` is after. What is no document is after nothing: whoever executes it says so.
    ///
    /// # Errors
    /// 422 for a document that is too much.
    pub(crate) fn of(query: &str) -> Result<Self, Problem> {
        let mut intent = Self::default();
        let Ok(document) = parse_query(query) else {
            return Ok(intent);
        };
        for (_, operation) in document.operations.iter() {
            intent.changes |= operation.node.ty == OperationType::Mutation;
            for item in &operation.node.selection_set.node.items {
                // A fragment at the root could hold any number.
                let Selection::Field(field) = &item.node else {
                    return Err(too_much());
                };
                intent.names.push(field.node.name.node.to_string());
            }
            if intent.names.len() > MAX_CALLS {
                return Err(too_much());
            }
        }
        // A document's operations come in no order.
        intent.names.sort_unstable();
        Ok(intent)
    }

    /// As the audit log calls it.
    pub(crate) fn action(&self) -> String {
        format!("graphql {}", self.names.join(" "))
    }
}

fn too_much() -> Problem {
    let rule = "must ask for at most 10 things, without fragments at its root";
    Problem::invalid(&Invalid::new("query", rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_asks_for_a_few_things_only() {
        let many = |count: usize| {
            let fields: Vec<_> = (0..count)
                .map(|n| format!("a{n}: endpoints {{ next }}"))
                .collect();
            format!("{{ {} }}", fields.join(" "))
        };
        assert!(Intent::of(&many(MAX_CALLS)).is_ok());
        assert_eq!(Intent::of(&many(MAX_CALLS + 1)).unwrap_err().status, 422);
        let hidden = "{ ...many } fragment many on Query { endpoints { next } }";
        assert_eq!(Intent::of(hidden).unwrap_err().status, 422);
        assert_eq!(Intent::of("{").unwrap(), Intent::default());
    }

    #[test]
    fn one_mutation_makes_a_document_one_that_changes_something() {
        let intent = |query: &str| Intent::of(query).unwrap();
        assert!(!intent("{ endpoint(id: \"x\") { id } }").changes);
        let both =
            intent("query A { events { next } } mutation B { b: deleteEndpoint(id: \"x\") }");
        assert!(both.changes);
        assert_eq!(both.action(), "graphql deleteEndpoint events");
    }
}
