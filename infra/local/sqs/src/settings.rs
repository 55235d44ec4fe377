//! A queue's attributes: parsed and held to their ranges when set, so that the queue reads plain numbers.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::errors::SqsError;
use crate::redrive::{RedriveAllowPolicy, RedrivePolicy};

/// What may be set, with the default that `GetQueueAttributes` shows; an empty one is not shown.
const SETTABLE: [(&str, &str); 15] = [
    ("ContentBasedDeduplication", ""),
    ("DeduplicationScope", ""),
    ("DelaySeconds", "0"),
    ("FifoQueue", ""),
    ("FifoThroughputLimit", ""),
    ("KmsDataKeyReusePeriodSeconds", ""),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("Policy", ""),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", "true"),
    ("VisibilityTimeout", "30"),
];

/// What a FIFO queue shows unless told otherwise.
const FIFO_DEFAULTS: [(&str, &str); 3] = [
    ("ContentBasedDeduplication", "false"),
    ("DeduplicationScope", "queue"),
    ("FifoThroughputLimit", "perQueue"),
];

/// What `GetQueueAttributes` can also be asked for.
pub(crate) const COMPUTED: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// A queue's attributes, as text and as what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    given: BTreeMap<String, String>,
    pub(crate) fifo: bool,
    pub(crate) content_deduplication: bool,
    /// Deduplication ids count within their group only.
    pub(crate) deduplicate_by_group: bool,
    pub(crate) delay_ms: u64,
    pub(crate) visibility_ms: u64,
    pub(crate) retention_ms: u64,
    pub(crate) wait_ms: u64,
    pub(crate) max_message_bytes: usize,
    pub(crate) redrive: Option<RedrivePolicy>,
    pub(crate) redrive_allow: RedriveAllowPolicy,
}

impl Settings {
    /// Reads a whole set of attributes.
    pub(crate) fn parse(given: &BTreeMap<String, String>) -> Result<Self, SqsError> {
        if let Some(unknown) = given.keys().find(|name| !is_settable(name)) {
            return Err(SqsError::InvalidAttributeName(unknown.clone()));
        }
        // An empty policy takes the policy away.
        let given: BTreeMap<String, String> = given
            .iter()
            .filter(|(name, value)| !(value.is_empty() && name.contains("Policy")))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let read = Reader { given: &given };
        let fifo = match given.get("FifoQueue").map(String::as_str) {
            None => false,
            Some("true") => true,
            Some("false") => return Err(SqsError::InvalidAttributeName("FifoQueue".to_owned())),
            Some(_) => return Err(SqsError::InvalidAttributeValue("FifoQueue".to_owned())),
        };
        if let (false, Some((name, _))) = (
            fifo,
            FIFO_DEFAULTS
                .iter()
                .find(|(name, _)| given.contains_key(*name)),
        ) {
            return Err(SqsError::InvalidAttributeName((*name).to_owned()));
        }
        read.number("KmsDataKeyReusePeriodSeconds", 60, 86_400, 300_u32)?;
        read.choice("SqsManagedSseEnabled", "true", "false")?;
        read.choice("FifoThroughputLimit", "perQueue", "perMessageGroupId")?;
        Ok(Self {
            fifo,
            content_deduplication: read.choice("ContentBasedDeduplication", "false", "true")?,
            deduplicate_by_group: read.choice("DeduplicationScope", "queue", "messageGroup")?,
            delay_ms: read.seconds("DelaySeconds", 0, 900, 0)?,
            visibility_ms: read.seconds("VisibilityTimeout", 0, 43_200, 30)?,
            retention_ms: read.seconds("MessageRetentionPeriod", 60, 1_209_600, 345_600)?,
            wait_ms: read.seconds("ReceiveMessageWaitTimeSeconds", 0, 20, 0)?,
            max_message_bytes: read.number("MaximumMessageSize", 1024, 1_048_576, 1_048_576)?,
            redrive: given
                .get("RedrivePolicy")
                .map(|text| RedrivePolicy::parse(text))
                .transpose()?,
            redrive_allow: given
                .get("RedriveAllowPolicy")
                .map(|text| RedriveAllowPolicy::parse(text))
                .transpose()?
                .unwrap_or_default(),
            given,
        })
    }

    /// These attributes with some of them set anew.
    pub(crate) fn changed(&self, changes: &BTreeMap<String, String>) -> Result<Self, SqsError> {
        let mut given = self.given.clone();
        given.extend(changes.clone());
        let changed = Self::parse(&given)?;
        if changed.fifo == self.fifo {
            Ok(changed)
        } else {
            Err(SqsError::InvalidAttributeName("FifoQueue".to_owned()))
        }
    }

    /// The first attribute that is asked for with another value than this queue has.
    pub(crate) fn first_difference(&self, asked: &Self) -> Option<String> {
        let (ours, theirs) = (self.shown(), asked.shown());
        asked
            .given
            .keys()
            .find(|name| ours.get(*name) != theirs.get(*name))
            .cloned()
            .or_else(|| (self.fifo != asked.fifo).then(|| "FifoQueue".to_owned()))
    }

    /// The attributes as they were set: what a snapshot keeps.
    pub(crate) fn given(&self) -> &BTreeMap<String, String> {
        &self.given
    }

    /// Every attribute that has a value, defaults included.
    pub(crate) fn shown(&self) -> BTreeMap<String, String> {
        let fifo_defaults = FIFO_DEFAULTS.iter().filter(|_| self.fifo);
        SETTABLE
            .iter()
            .filter(|(_, default)| !default.is_empty())
            .chain(fifo_defaults)
            .map(|(name, default)| ((*name).to_owned(), (*default).to_owned()))
            .chain(self.given.clone())
            .collect()
    }
}

/// Whether a queue can have such an attribute.
pub(crate) fn is_settable(name: &str) -> bool {
    SETTABLE.iter().any(|(known, _)| *known == name)
}

struct Reader<'a> {
    given: &'a BTreeMap<String, String>,
}

impl Reader<'_> {
    fn number<T: FromStr + PartialOrd + Copy>(
        &self,
        name: &str,
        least: T,
        most: T,
        default: T,
    ) -> Result<T, SqsError> {
        let Some(text) = self.given.get(name) else {
            return Ok(default);
        };
        text.parse()
            .ok()
            .filter(|value| (least..=most).contains(value))
            .ok_or_else(|| SqsError::InvalidAttributeValue(name.to_owned()))
    }

    /// Seconds in the attribute, milliseconds in the queue.
    fn seconds(&self, name: &str, least: u64, most: u64, default: u64) -> Result<u64, SqsError> {
        Ok(self.number(name, least, most, default)? * 1000)
    }

    /// One of two words: is it the second?
    fn choice(&self, name: &str, no: &str, yes: &str) -> Result<bool, SqsError> {
        match self.given.get(name).map(String::as_str) {
            None => Ok(false),
            Some(word) if word == no => Ok(false),
            Some(word) if word == yes => Ok(true),
            Some(_) => Err(SqsError::InvalidAttributeValue(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn values_outside_of_their_range_are_refused() {
        for (name, value) in [
            ("DelaySeconds", "901"),
            ("VisibilityTimeout", "43201"),
            ("VisibilityTimeout", "soon"),
            ("MessageRetentionPeriod", "59"),
            ("MaximumMessageSize", "1048577"),
            ("ReceiveMessageWaitTimeSeconds", "21"),
        ] {
            assert_eq!(
                Settings::parse(&map(&[(name, value)])),
                Err(SqsError::InvalidAttributeValue(name.to_owned()))
            );
        }
    }

    #[test]
    fn fifo_attributes_belong_to_fifo_queues() {
        assert!(Settings::parse(&map(&[("ContentBasedDeduplication", "true")])).is_err());
        let fifo = Settings::parse(&map(&[
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
        ]))
        .unwrap();
        assert!(fifo.fifo && fifo.content_deduplication);
        assert!(
            Settings::parse(&map(&[]))
                .unwrap()
                .changed(&map(&[("FifoQueue", "true")]))
                .is_err()
        );
    }

    #[test]
    fn an_empty_policy_takes_the_policy_away() {
        let with = Settings::parse(&map(&[(
            "RedrivePolicy",
            r#"{"deadLetterTargetArn":"arn","maxReceiveCount":2}"#,
        )]))
        .unwrap();
        assert!(with.redrive.is_some());
        assert!(
            with.changed(&map(&[("RedrivePolicy", "")]))
                .unwrap()
                .redrive
                .is_none()
        );
    }

    #[test]
    fn a_default_asked_for_by_name_is_no_difference() {
        let plain = Settings::parse(&map(&[])).unwrap();
        let same = Settings::parse(&map(&[("VisibilityTimeout", "30")])).unwrap();
        let other = Settings::parse(&map(&[("VisibilityTimeout", "31")])).unwrap();
        assert_eq!(plain.first_difference(&same), None);
        assert_eq!(
            plain.first_difference(&other),
            Some("VisibilityTimeout".to_owned())
        );
    }
}
