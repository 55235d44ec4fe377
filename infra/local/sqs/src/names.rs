//! How a queue is named: plain name, ARN and URL, each told from the others.

use crate::errors::SqsError;

/// The account of everything local.
pub const ACCOUNT: &str = "000000000000";
/// The region of everything local.
pub const REGION: &str = "us-east-1";

const ARN_PREFIX: &str = "arn:aws:sqs:us-east-1:000000000000:";

/// `arn:aws:sqs:us-east-1:000000000000:name`.
pub fn queue_arn(name: &str) -> String {
    format!("{ARN_PREFIX}{name}")
}

/// The name in a queue's ARN, if it is one of this account and region.
pub fn queue_name_of_arn(arn: &str) -> Option<&str> {
    arn.strip_prefix(ARN_PREFIX).filter(|name| !name.is_empty())
}

/// `http://{authority}/000000000000/name`.
pub fn queue_url(authority: &str, name: &str) -> String {
    format!("http://{authority}/{ACCOUNT}/{name}")
}

/// The name in a queue's URL: its last segment, whatever host it was asked through.
pub fn queue_name_of_url(url: &str) -> Option<&str> {
    url.rsplit('/').next().filter(|name| !name.is_empty())
}

/// Holds a new queue's name against SQS's rules.
pub(crate) fn check_name(name: &str, fifo: bool) -> Result<(), SqsError> {
    let stem = if fifo {
        name.strip_suffix(".fifo").ok_or_else(|| {
            SqsError::InvalidParameterValue(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."
                    .to_owned(),
            )
        })?
    } else {
        name
    };
    if is_token(stem) && name.len() <= 80 {
        Ok(())
    } else {
        Err(SqsError::InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
                .to_owned(),
        ))
    }
}

/// One to 80 letters, digits, hyphens and underscores: a queue's name, a batch entry's id.
pub(crate) fn is_token(text: &str) -> bool {
    (1..=80).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_survives_the_way_through_arn_and_url() {
        assert_eq!(queue_name_of_arn(&queue_arn("orders")), Some("orders"));
        assert_eq!(
            queue_name_of_url(&queue_url("127.0.0.1:9324", "orders.fifo")),
            Some("orders.fifo")
        );
        assert_eq!(
            queue_name_of_arn("arn:aws:sqs:us-east-1:000000000000:"),
            None
        );
        assert_eq!(queue_name_of_url("http://127.0.0.1/"), None);
    }

    #[test]
    fn a_fifo_queue_must_end_in_fifo_and_no_other_may() {
        assert!(check_name("a.fifo", true).is_ok());
        assert!(check_name("a", true).is_err());
        assert!(check_name("a.fifo", false).is_err());
        assert!(check_name(&"a".repeat(81), false).is_err());
    }
}
