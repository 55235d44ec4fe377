//! Keys and secrets as a function meets them.

use serde_json::{Value, json};

use super::*;
use crate::console::LogStyle;
use crate::console::Threshold;
use crate::permissions::Policy;
use crate::template::{self, Setting};
use front::{Refused, call};

const TEMPLATE: &str = r"
Resources:
  Safe: {Type: AWS::KMS::Key}
  SafeName:
    Type: AWS::KMS::Alias
    Properties: {AliasName: alias/safe, TargetKeyId: !Ref Safe}
  First:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: first
      GenerateSecretString: {PasswordLength: 40, ExcludePunctuation: true}
Outputs: {}
";

fn plan() -> Plan {
    let setting = Setting {
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
        stack: "hookpost-local".to_owned(),
        sqs_endpoint: String::new(),
        socket_endpoint: String::new(),
        api_endpoint: String::new(),
        parameters: std::collections::BTreeMap::default(),
        local_defaults: std::collections::BTreeMap::default(),
    };
    template::plan(TEMPLATE, &setting).unwrap()
}

fn secrets(file: Option<PathBuf>) -> Secrets {
    let plan = plan();
    let statement = json!({
        "Statement": [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": plan.keys[0].arn}],
    });
    let policy = Policy::parse("DeliveryRole".to_owned(), &[statement]).unwrap();
    let permissions = Permissions::new([("DeliveryFunction".to_owned(), policy)]);
    let console = Console::start(LogStyle::Readable, Threshold::Errors, true);
    Secrets::open(&plan, file, permissions, console).unwrap()
}

fn ask(secrets: &Secrets, target: &str, input: &Value) -> Result<Value, Refused> {
    call(&secrets.shared, "developer", target, input)
}

fn data_key(secrets: &Secrets) -> Value {
    let input = json!({
        "KeyId": "alias/safe",
        "KeySpec": "AES_256",
        "EncryptionContext": {"a": "1"},
    });
    ask(secrets, "TrentService.GenerateDataKey", &input).unwrap()
}

fn decrypt(secrets: &Secrets, blob: &Value, context: &Value) -> Result<Value, Refused> {
    let input = json!({ "CiphertextBlob": blob, "EncryptionContext": context });
    ask(secrets, "TrentService.Decrypt", &input)
}

#[test]
fn a_data_key_is_read_after_a_restart_and_only_in_its_context() {
    let folder = std::env::temp_dir().join(format!("hookpost-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("secrets.json");
    let before = secrets(Some(file.clone()));
    let made = data_key(&before);
    let first = ask(
        &before,
        "secretsmanager.GetSecretValue",
        &json!({"SecretId": "first"}),
    );
    drop(before);
    let after = secrets(Some(file));
    let context = json!({"a": "1"});
    let opened = decrypt(&after, &made["CiphertextBlob"], &context).unwrap();
    assert_eq!(opened["Plaintext"], made["Plaintext"]);
    let other = decrypt(&after, &made["CiphertextBlob"], &json!({"a": "2"})).unwrap_err();
    assert_eq!(other.kind, "InvalidCiphertextException");
    let again = ask(
        &after,
        "secretsmanager.GetSecretValue",
        &json!({"SecretId": "first"}),
    );
    assert_eq!(
        first.unwrap()["SecretString"],
        again.unwrap()["SecretString"]
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_secret_is_found_by_its_arn_and_made_by_its_rule() {
    let secrets = secrets(None);
    let arn = &secrets.shared.secrets[0].arn;
    let value = ask(
        &secrets,
        "secretsmanager.GetSecretValue",
        &json!({"SecretId": arn}),
    )
    .unwrap();
    assert_eq!(value["SecretString"].as_str().unwrap().len(), 40);
    let missing = ask(
        &secrets,
        "secretsmanager.GetSecretValue",
        &json!({"SecretId": "x"}),
    );
    assert_eq!(missing.unwrap_err().kind, "ResourceNotFoundException");
}

#[test]
fn a_disabled_key_opens_nothing_until_it_is_enabled() {
    let secrets = secrets(None);
    let made = data_key(&secrets);
    let context = json!({"a": "1"});
    ask(
        &secrets,
        "TrentService.DisableKey",
        &json!({"KeyId": "alias/safe"}),
    )
    .unwrap();
    let refused = decrypt(&secrets, &made["CiphertextBlob"], &context).unwrap_err();
    assert_eq!(refused.kind, "DisabledException");
    ask(
        &secrets,
        "TrentService.EnableKey",
        &json!({"KeyId": "alias/safe"}),
    )
    .unwrap();
    decrypt(&secrets, &made["CiphertextBlob"], &context).unwrap();
}

#[test]
fn a_function_may_do_what_its_role_says_and_is_counted() {
    let secrets = secrets(None);
    let made = data_key(&secrets);
    let input =
        json!({ "CiphertextBlob": made["CiphertextBlob"], "EncryptionContext": {"a": "1"} });
    let function =
        |target: &str, input: &Value| call(&secrets.shared, "DeliveryFunction", target, input);
    function("TrentService.Decrypt", &input).unwrap();
    let key = json!({ "KeyId": secrets.shared.keys[0].id });
    let denied = function("TrentService.GenerateDataKey", &key).unwrap_err();
    assert_eq!(denied.kind, "AccessDeniedException");
    let secret = function(
        "secretsmanager.GetSecretValue",
        &json!({"SecretId": "first"}),
    );
    assert_eq!(secret.unwrap_err().kind, "AccessDeniedException");
    let counted = secrets.kms_counters().all();
    let of = |operation: &str| {
        let one = counted
            .iter()
            .find(|one| one.operation == operation && one.caller == "DeliveryFunction");
        one.map(|one| (one.resource.as_str(), one.count.calls, one.count.errors))
    };
    assert_eq!(of("Decrypt"), Some(("Safe", 1, 0)));
    assert_eq!(of("GenerateDataKey"), Some(("Safe", 1, 1)));
}
