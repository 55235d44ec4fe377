//! The operations that carry the load: what they touch, how they run, and what
//! they consumed.

use dynoxide::actions::{
    batch_get_item::{BatchGetItemRequest, BatchGetItemResponse},
    batch_write_item::{BatchWriteItemRequest, BatchWriteItemResponse},
    delete_item::{DeleteItemRequest, DeleteItemResponse},
    get_item::{GetItemRequest, GetItemResponse},
    put_item::{PutItemRequest, PutItemResponse},
    query::{QueryRequest, QueryResponse},
    scan::{ScanRequest, ScanResponse},
    transact_get_items::{TransactGetItemsRequest, TransactGetItemsResponse},
    transact_write_items::{TransactWriteItemsRequest, TransactWriteItemsResponse},
    update_item::{UpdateItemRequest, UpdateItemResponse},
};
use dynoxide::types::ConsumedCapacity;
use dynoxide::{Database, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A table, or an index of one, that a call touches with an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Touched {
    pub action: &'static str,
    pub table: String,
    pub index: Option<String>,
    /// Items that the call names there.
    pub entries: u64,
}

/// Whether an operation is billed in read or in write units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    Read,
    Write,
}

/// An operation that the engine is called for directly.
pub(super) trait Operation: 'static {
    type Request: DeserializeOwned + Send + 'static;
    type Response: Serialize + Send + 'static;
    const UNITS: Units;

    fn touched(request: &Self::Request) -> Vec<Touched>;
    fn wanted_capacity(request: &mut Self::Request) -> &mut Option<String>;
    fn run(database: &Database, request: Self::Request) -> Result<Self::Response>;
    /// Takes what was consumed out of the answer, or copies it if it is to stay.
    fn consumed(response: &mut Self::Response, keep: bool) -> Vec<ConsumedCapacity>;
}

fn take<T: Clone>(place: &mut Option<T>, keep: bool) -> Option<T> {
    if keep { place.clone() } else { place.take() }
}

/// An operation on one table.
macro_rules! single {
    ($name:ident, $request:ty, $response:ty, $units:ident, $method:ident, $index:expr) => {
        pub(super) struct $name;

        impl Operation for $name {
            type Request = $request;
            type Response = $response;
            const UNITS: Units = Units::$units;

            fn touched(request: &$request) -> Vec<Touched> {
                let index: fn(&$request) -> Option<String> = $index;
                vec![Touched {
                    action: concat!("dynamodb:", stringify!($name)),
                    table: request.table_name.clone(),
                    index: index(request),
                    entries: 1,
                }]
            }

            fn wanted_capacity(request: &mut $request) -> &mut Option<String> {
                &mut request.return_consumed_capacity
            }

            fn run(database: &Database, request: $request) -> Result<$response> {
                database.$method(request)
            }

            fn consumed(response: &mut $response, keep: bool) -> Vec<ConsumedCapacity> {
                take(&mut response.consumed_capacity, keep)
                    .into_iter()
                    .collect()
            }
        }
    };
}

/// An operation on several tables at once.
macro_rules! several {
    ($name:ident, $request:ty, $response:ty, $units:ident, $method:ident, $touched:expr) => {
        pub(super) struct $name;

        impl Operation for $name {
            type Request = $request;
            type Response = $response;
            const UNITS: Units = Units::$units;

            fn touched(request: &$request) -> Vec<Touched> {
                let touched: fn(&$request) -> Vec<Touched> = $touched;
                touched(request)
            }

            fn wanted_capacity(request: &mut $request) -> &mut Option<String> {
                &mut request.return_consumed_capacity
            }

            fn run(database: &Database, request: $request) -> Result<$response> {
                database.$method(request)
            }

            fn consumed(response: &mut $response, keep: bool) -> Vec<ConsumedCapacity> {
                take(&mut response.consumed_capacity, keep).unwrap_or_default()
            }
        }
    };
}

single!(
    PutItem,
    PutItemRequest,
    PutItemResponse,
    Write,
    put_item,
    |_| None
);
single!(
    GetItem,
    GetItemRequest,
    GetItemResponse,
    Read,
    get_item,
    |_| None
);
single!(
    UpdateItem,
    UpdateItemRequest,
    UpdateItemResponse,
    Write,
    update_item,
    |_| None
);
single!(
    DeleteItem,
    DeleteItemRequest,
    DeleteItemResponse,
    Write,
    delete_item,
    |_| None
);
single!(Query, QueryRequest, QueryResponse, Read, query, |request| {
    request.index_name.clone()
});
single!(Scan, ScanRequest, ScanResponse, Read, scan, |request| {
    request.index_name.clone()
});

several!(
    BatchGetItem,
    BatchGetItemRequest,
    BatchGetItemResponse,
    Read,
    batch_get_item,
    |request| {
        let tables = request.request_items.iter();
        tables
            .map(|(table, keys)| touched("dynamodb:BatchGetItem", table, keys.keys.len()))
            .collect()
    }
);
several!(
    BatchWriteItem,
    BatchWriteItemRequest,
    BatchWriteItemResponse,
    Write,
    batch_write_item,
    |request| {
        let tables = request.request_items.iter();
        tables
            .map(|(table, writes)| touched("dynamodb:BatchWriteItem", table, writes.len()))
            .collect()
    }
);
several!(
    TransactGetItems,
    TransactGetItemsRequest,
    TransactGetItemsResponse,
    Read,
    transact_get_items,
    |request| {
        let items = request.transact_items.iter();
        items
            .map(|item| touched("dynamodb:GetItem", &item.get.table_name, 1))
            .collect()
    }
);
several!(
    TransactWriteItems,
    TransactWriteItemsRequest,
    TransactWriteItemsResponse,
    Write,
    transact_write_items,
    |request| {
        let items = request.transact_items.iter();
        items
            .flat_map(|item| {
                let put = item
                    .put
                    .as_ref()
                    .map(|put| ("dynamodb:PutItem", &put.table_name));
                let update = item
                    .update
                    .as_ref()
                    .map(|update| ("dynamodb:UpdateItem", &update.table_name));
                let delete = item
                    .delete
                    .as_ref()
                    .map(|delete| ("dynamodb:DeleteItem", &delete.table_name));
                let check = item
                    .condition_check
                    .as_ref()
                    .map(|check| ("dynamodb:ConditionCheckItem", &check.table_name));
                [put, update, delete, check]
            })
            .flatten()
            .map(|(action, table)| touched(action, table, 1))
            .collect()
    }
);

fn touched(action: &'static str, table: &str, entries: usize) -> Touched {
    Touched {
        action,
        table: table.to_owned(),
        index: None,
        entries: entries as u64,
    }
}
