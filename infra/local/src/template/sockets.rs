//! WebSocket APIs: an API, its stage, and its routes by way of integrations to functions that it may
//! invoke.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{arn, reference};
use super::resolve::{Resolver, to_text};
use super::{Plan, SocketApi, SocketRoute, TemplateError};
use crate::permissions;

/// The resources of all WebSocket APIs, as they come.
#[derive(Debug, Default)]
pub(super) struct Parts {
    apis: Vec<(String, String)>,
    stages: Vec<Value>,
    /// Their properties by what refers to them.
    integrations: BTreeMap<String, Value>,
    routes: Vec<(String, Value)>,
    responses: Vec<Value>,
    permissions: Vec<Value>,
}

fn text(properties: &Value, name: &str) -> String {
    properties.get(name).map(to_text).unwrap_or_default()
}

impl Parts {
    /// Takes a resource if it is one of these; whether it is.
    pub(super) fn take(
        &mut self,
        resolver: &Resolver<'_>,
        id: &str,
        kind: &str,
        properties: &Value,
    ) -> Result<bool, TemplateError> {
        let own = || reference(resolver, id);
        match kind {
            "AWS::ApiGatewayV2::Api" if text(properties, "ProtocolType") == "WEBSOCKET" => {
                let selection = text(properties, "RouteSelectionExpression");
                self.apis.push((own()?, selection));
            }
            "AWS::ApiGatewayV2::Stage" => self.stages.push(properties.clone()),
            "AWS::ApiGatewayV2::Integration" => {
                self.integrations.insert(own()?, properties.clone());
            }
            "AWS::ApiGatewayV2::Route" => self.routes.push((own()?, properties.clone())),
            "AWS::ApiGatewayV2::RouteResponse" => self.responses.push(properties.clone()),
            "AWS::Lambda::Permission" => self.permissions.push(properties.clone()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The APIs, once all functions are known.
    pub(super) fn assemble(&self, resolver: &Resolver<'_>, plan: &mut Plan) {
        for (api, selection) in &self.apis {
            let of_api = |properties: &&Value| text(properties, "ApiId") == *api;
            let Some(stage) = self.stages.iter().find(of_api) else {
                plan.warnings.push(format!("{api} has no stage"));
                continue;
            };
            let mut socket_api = SocketApi {
                id: api.clone(),
                arn: arn(resolver, "execute-api", api),
                stage: text(stage, "StageName"),
                selection: selection.clone(),
                routes: BTreeMap::new(),
            };
            for (route, properties) in self.routes.iter().filter(|(_, one)| of_api(&one)) {
                let key = text(properties, "RouteKey");
                match self.route(&socket_api, route, properties, plan) {
                    Ok(found) => {
                        socket_api.routes.insert(key, found);
                    }
                    Err(why) => plan.warnings.push(format!("{api}, route {key}: {why}")),
                }
            }
            plan.sockets.push(socket_api);
        }
    }

    fn route(
        &self,
        api: &SocketApi,
        route: &str,
        properties: &Value,
        plan: &Plan,
    ) -> Result<SocketRoute, String> {
        let target = text(properties, "Target");
        let integration = target
            .strip_prefix("integrations/")
            .and_then(|id| self.integrations.get(id))
            .ok_or("it has no integration")?;
        let uri = text(integration, "IntegrationUri");
        let function = plan
            .functions
            .iter()
            .find(|function| uri.contains(&format!("/functions/{}/invocations", function.arn)))
            .ok_or("its integration invokes no function here")?;
        let source = format!("{}/{}/{}", api.arn, api.stage, text(properties, "RouteKey"));
        let allows = |permission: &Value| {
            let named = text(permission, "FunctionName");
            let from = text(permission, "SourceArn");
            (named == function.name || named == function.arn)
                && text(permission, "Principal") == "apigateway.amazonaws.com"
                && (from.is_empty() || permissions::matches(&from, &source))
        };
        if !self.permissions.iter().any(allows) {
            return Err(format!(
                "no AWS::Lambda::Permission lets it invoke {}",
                function.name
            ));
        }
        let answers = self
            .responses
            .iter()
            .any(|response| text(response, "RouteId") == route)
            && !text(properties, "RouteResponseSelectionExpression").is_empty();
        Ok(SocketRoute {
            function: function.logical_id.clone(),
            answers,
        })
    }
}
