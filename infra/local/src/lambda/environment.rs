//! The environment that a function's process gets: what AWS sets, what the
//! template sets, and nothing of the shell that started the local system
//! except where programs and panics are looked up.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::HostSetting;
use crate::template;

/// What is passed on from this process's own environment.
const INHERITED: [&str; 3] = ["PATH", "HOME", "RUST_BACKTRACE"];

/// All variables of `function`, less those that each instance has of its own.
pub(super) fn of(
    function: &template::Function,
    setting: &HostSetting,
) -> Vec<(OsString, OsString)> {
    let mut variables: BTreeMap<String, String> = setting.environment.clone();
    let own = [
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            function.memory_mb.to_string(),
        ),
        (
            "AWS_LAMBDA_LOG_GROUP_NAME",
            format!("/aws/lambda/{}", function.name),
        ),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
        ("AWS_ACCESS_KEY_ID", function.logical_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        // The developer's own profile must not reach into a function.
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
        ("LAMBDA_TASK_ROOT", setting.binaries.display().to_string()),
        ("TZ", ":UTC".to_owned()),
    ];
    for (name, value) in own {
        variables.insert(name.to_owned(), value);
    }
    variables.extend(function.environment.clone());
    let inherited = INHERITED
        .iter()
        .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    variables
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()))
        .chain(inherited)
        .collect()
}
