//! Orders, and what is still to be told of them. In a real shop both are tables of one database,
//! and each function here a transaction.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hookpost_client::Event;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What somebody wants to buy.
#[derive(Debug, Deserialize)]
pub(crate) struct Cart {
    pub(crate) customer: String,
    pub(crate) item: String,
    pub(crate) cents: u64,
}

/// What somebody has bought.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) item: String,
    pub(crate) cents: u64,
    pub(crate) paid: bool,
}

#[derive(Default)]
struct Tables {
    orders: Vec<Order>,
    outbox: Vec<Event>,
}

#[derive(Default)]
pub(crate) struct Store(Mutex<Tables>);

impl Store {
    pub(crate) fn place(&self, cart: Cart) -> Result<Order, serde_json::Error> {
        let mut tables = self.tables();
        let order = Order {
            id: format!("ORD-{}", tables.orders.len() + 1),
            customer: cart.customer,
            item: cart.item,
            cents: cart.cents,
            paid: false,
        };
        // The event's own id says what happened to what: told again, it is the same event.
        let event = Event::new("order.created", &order)?.id(format!("{}-created", order.id));
        tables.orders.push(order.clone());
        tables.outbox.push(event);
        Ok(order)
    }

    /// `None` if there is no such order. Paying twice tells once.
    pub(crate) fn pay(&self, id: &str) -> Result<Option<Order>, serde_json::Error> {
        let mut tables = self.tables();
        let Some(place) = tables.orders.iter().position(|order| order.id == id) else {
            return Ok(None);
        };
        let payload = json!({ "order_id": id });
        let event = Event::new("order.paid", &payload)?.id(format!("{id}-paid"));
        let Some(order) = tables.orders.get_mut(place) else {
            return Ok(None);
        };
        let first_time = !order.paid;
        order.paid = true;
        let order = order.clone();
        if first_time {
            tables.outbox.push(event);
        }
        Ok(Some(order))
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        self.tables().orders.clone()
    }

    /// What is to be published, oldest first.
    pub(crate) fn waiting(&self) -> Vec<Event> {
        self.tables().outbox.clone()
    }

    /// The first so many of [`Store::waiting`] are dealt with.
    pub(crate) fn published(&self, count: usize) {
        self.tables().outbox.drain(..count);
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No function above leaves them half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
