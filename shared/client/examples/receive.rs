//! Receives webhooks: `cargo run -p hookpost-client --example receive -- <secret>`, for an endpoint
//! at `http://127.0.0.1:3000`.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hookpost_client::verify::Verifier;
use serde_json::Value;

async fn receive(
    State(verifier): State<Arc<Verifier>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    #[expect(clippy::disallowed_methods, reason = "an example has no other clock")]
    let now = SystemTime::now();
    match verifier.verify(&headers, &body, now) {
        // A webhook may come twice: drop an id that was dealt with. What takes long is done after
        // the answer.
        Ok(verified) => match verified.message::<Value>() {
            Ok(message) => {
                eprintln!("{} {}: {}", verified.id, message.event, message.data);
                StatusCode::NO_CONTENT
            }
            Err(_) => StatusCode::BAD_REQUEST,
        },
        Err(error) => {
            eprintln!("refused: {error}");
            StatusCode::UNAUTHORIZED
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = std::env::args().nth(1).ok_or("which secret?")?;
    let verifier = Arc::new(Verifier::new([secret])?);
    let app = Router::new().route("/", post(receive)).with_state(verifier);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
