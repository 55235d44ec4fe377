//! A small shop that publishes orders, with an outbox: an order and the events that tell of it are
//! stored together, and published from there until they are accepted. Whatever fails, no order goes
//! untold, and none is told twice.
//!
//! ```text
//! cargo run -p hookpost-client --example shop -- <url> [key]
//! curl http://127.0.0.1:3001/orders -H 'content-type: application/json' -d '{"customer": "ada", "item": "tea", "cents": 450}'
//! curl -X POST http://127.0.0.1:3001/orders/ORD-1/pay
//! curl http://127.0.0.1:3001/orders
//! ```
//!
//! With the local system up, the URL is `http://127.0.0.1:8000`. Stop it, place an order, start it
//! again: the order is told then.

mod outbox;
mod store;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use hookpost_client::Client;
use serde::Serialize;
use tokio::sync::Notify;

use store::{Cart, Order, Store};

struct Shop {
    store: Store,
    /// Told that the outbox has something.
    told: Notify,
}

/// What `GET /orders` answers.
#[derive(Serialize)]
struct Overview {
    orders: Vec<Order>,
    /// Events that Hookpost has not accepted yet.
    unpublished: usize,
}

async fn place(
    State(shop): State<Arc<Shop>>,
    Json(cart): Json<Cart>,
) -> Result<(StatusCode, Json<Order>), StatusCode> {
    let order = shop.store.place(cart);
    let order = order.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    shop.told.notify_one();
    Ok((StatusCode::CREATED, Json(order)))
}

async fn pay(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
) -> Result<Json<Order>, StatusCode> {
    let paid = shop.store.pay(&id);
    let order = paid.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    shop.told.notify_one();
    order.map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn orders(State(shop): State<Arc<Shop>>) -> Json<Overview> {
    Json(Overview {
        orders: shop.store.orders(),
        unpublished: shop.store.waiting().len(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let url = url.unwrap_or("http://127.0.0.1:8000".to_owned());
    let key = arguments.next().unwrap_or_default();
    let client = Client::new(&url, &key)?;

    let shop = Arc::new(Shop {
        store: Store::default(),
        told: Notify::new(),
    });
    tokio::spawn(outbox::publish(Arc::clone(&shop), client));

    let app = Router::new()
        .route("/orders", get(orders).post(place))
        .route("/orders/{id}/pay", post(pay))
        .with_state(shop);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3001").await?;
    eprintln!(
        "the shop is open at http://127.0.0.1:3001/orders, and tells {url} of what happens in it"
    );
    axum::serve(listener, app).await?;
    Ok(())
}
