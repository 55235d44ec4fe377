//! A request to AWS with its signature, by the SDK's own configuration and signer: what the calls
//! that are written out have in common.

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::body::SdkBody;
use aws_types::service_config::ServiceConfigKey;
use hookpost_domain::ports::World;

use crate::RealWorld;
use crate::aws_json::CallError;

/// The region that is called.
pub(crate) fn region(sdk: &SdkConfig) -> Result<&str, CallError> {
    let region = sdk
        .region()
        .ok_or_else(|| CallError::not_made("no region"))?;
    Ok(region.as_ref())
}

/// A POST to `url`, signed for the service that signatures and host names call `name`.
pub(crate) async fn post(
    sdk: &SdkConfig,
    name: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<http::Request<SdkBody>, CallError> {
    let region = region(sdk)?;
    let provider = sdk.credentials_provider();
    let provider = provider.ok_or_else(|| CallError::not_made("no credentials"))?;
    let credentials = provider.provide_credentials().await;
    let identity = credentials.map_err(CallError::not_made)?.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(name)
        .time(RealWorld.now().into())
        .settings(SigningSettings::default())
        .build()
        .map_err(CallError::not_made)?
        .into();
    let signable = SignableRequest::new(
        "POST",
        url,
        headers.iter().copied(),
        SignableBody::Bytes(body),
    )
    .map_err(CallError::not_made)?;
    let (instructions, _) = sign(signable, &params)
        .map_err(CallError::not_made)?
        .into_parts();
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = SdkBody::from(body);
    let mut request = request.body(body).map_err(CallError::not_made)?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// Where a service is: `AWS_ENDPOINT_URL_<id>`, else `AWS_ENDPOINT_URL`, else AWS.
pub(crate) fn endpoint(sdk: &SdkConfig, name: &str, id: &'static str, region: &str) -> String {
    let key = ServiceConfigKey::builder()
        .service_id(id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let own = key
        .ok()
        .and_then(|key| sdk.service_config()?.load_config(key));
    let moved = own.or_else(|| sdk.endpoint_url().map(str::to_owned));
    moved.unwrap_or_else(|| {
        let china = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://{name}.{region}.amazonaws.com{china}")
    })
}
