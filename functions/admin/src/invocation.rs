//! What the function is invoked with, and what it says to that.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use hookpost_management::Reconciled;
use serde::{Deserialize, Serialize};

/// A call of the API, or the schedule's `{"reconcile": true}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// To see to it that the endpoints that the deployment declares are there.
    Reconcile {
        /// Whatever it is.
        reconcile: serde::de::IgnoredAny,
    },
    /// A call.
    Call(Box<ApiGatewayV2httpRequest>),
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// What came of the declared endpoints.
    Reconciled(Reconciled),
    /// A call's answer.
    Answered(Box<ApiGatewayV2httpResponse>),
}
