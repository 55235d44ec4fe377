//! How a caller may write a retry policy, and the durations in it.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Invalid;
use crate::retry::{Backoff, Jitter, PRESETS, RetryPolicy};

/// `"standard"`, or an object with a preset, a list of delays, or the numbers of an exponential
/// backoff; the numbers that are left out are those of the preset (`quick` if none is named).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum RetryInput {
    /// A preset by its name.
    Preset(String),
    /// Numbers.
    Numbers(Box<RetryNumbers>),
}

impl<'de> Deserialize<'de> for RetryInput {
    /// By hand, so that what is wrong in the object is told by its own name.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RetryInput;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a preset's name, or an object with `delays` or the numbers of a backoff",
                )
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<RetryInput, E> {
                Ok(RetryInput::Preset(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RetryInput, A::Error> {
                let numbers = RetryNumbers::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RetryInput::Numbers(Box::new(numbers)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The object form of [`RetryInput`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetryNumbers {
    /// What the other fields change: `quick`, `standard`, `minutes`, `capped` or `doubling`.
    preset: Option<String>,
    /// A wait before each attempt, the first included.
    delays: Option<Vec<DurationInput>>,
    /// Before the first retry.
    #[serde(alias = "initial_delay_seconds")]
    initial_delay: Option<DurationInput>,
    /// That no wait exceeds.
    #[serde(alias = "max_delay_seconds")]
    max_delay: Option<DurationInput>,
    /// From one wait to the next.
    #[serde(alias = "factor", alias = "backoff_multiplier")]
    multiplier: Option<f64>,
    /// Attempts in all, 1 to 50.
    #[serde(alias = "max_retries")]
    max_attempts: Option<u32>,
    /// What a wait may be longer or shorter by: a share of it, or whether at all.
    jitter: Option<JitterInput>,
}

/// Seconds as a number, or text such as `"5m"` or `"1h 30m"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DurationInput {
    /// Seconds.
    Seconds(f64),
    /// A number and a unit.
    Text(String),
}

impl DurationInput {
    fn seconds(&self, field: &'static str) -> Result<f64, Invalid> {
        match self {
            Self::Seconds(secs) => Ok(*secs),
            Self::Text(text) => humantime::parse_duration(text)
                .map(|duration| duration.as_secs_f64())
                .map_err(|_| {
                    Invalid::new(
                        field,
                        "must be seconds or a duration such as `5s`, `30m`, `2h`",
                    )
                }),
        }
    }
}

/// A share from 0 to 1, or whether to have any.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum JitterInput {
    /// On (25 %) or off.
    Switch(bool),
    /// The share.
    Ratio(f64),
}

impl RetryInput {
    /// The policy that is meant; `max_attempts` from outside counts where none is given here.
    ///
    /// # Errors
    /// Names the number that makes no sense.
    pub fn policy(&self, max_attempts: Option<u32>) -> Result<RetryPolicy, Invalid> {
        match self {
            Self::Preset(name) => {
                let numbers = RetryNumbers {
                    preset: Some(name.clone()),
                    ..RetryNumbers::default()
                };
                numbers.policy(max_attempts)
            }
            Self::Numbers(numbers) => numbers.policy(max_attempts),
        }
    }
}

impl RetryNumbers {
    /// The numbers of a deployment's parameters, delays in seconds.
    pub fn deployment(
        preset: Option<String>,
        initial_delay: Option<f64>,
        max_delay: Option<f64>,
        multiplier: Option<f64>,
        max_attempts: Option<u32>,
    ) -> Self {
        Self {
            preset,
            initial_delay: initial_delay.map(DurationInput::Seconds),
            max_delay: max_delay.map(DurationInput::Seconds),
            multiplier,
            max_attempts,
            ..Self::default()
        }
    }

    /// The same, with waits as long as they are said to be.
    #[must_use]
    pub fn without_jitter(self) -> Self {
        Self {
            jitter: Some(JitterInput::Switch(false)),
            ..self
        }
    }

    pub(super) fn policy(&self, max_attempts: Option<u32>) -> Result<RetryPolicy, Invalid> {
        let name = self.preset.as_deref().unwrap_or("quick");
        let preset = RetryPolicy::preset(name).ok_or_else(|| {
            let names: Vec<_> = PRESETS.iter().map(|(name, _)| *name).collect();
            Invalid::new(
                "retry.preset",
                format!("must be one of {}", names.join(", ")),
            )
        })?;
        let jitter = match self.jitter {
            None => preset.jitter(),
            Some(JitterInput::Switch(true)) => Jitter::Ratio(0.25),
            Some(JitterInput::Switch(false)) => Jitter::Ratio(0.0),
            Some(JitterInput::Ratio(ratio)) => Jitter::Ratio(ratio),
        };
        let attempts = self.max_attempts.or(max_attempts);
        if let Some(delays) = &self.delays {
            if self.initial_delay.is_some() || self.max_delay.is_some() || self.multiplier.is_some()
            {
                return Err(Invalid::new(
                    "retry.delays",
                    "must not be mixed with `initial_delay`, `max_delay` or `multiplier`",
                ));
            }
            let delays: Vec<f64> = delays
                .iter()
                .map(|delay| delay.seconds("retry.delays"))
                .collect::<Result<_, _>>()?;
            return RetryPolicy::new(Backoff::Delays(cut(delays, attempts)?), jitter);
        }
        let seconds = |input: &Option<DurationInput>, field| {
            input.as_ref().map(|input| input.seconds(field)).transpose()
        };
        let first = seconds(&self.initial_delay, "retry.initial_delay")?;
        let max = seconds(&self.max_delay, "retry.max_delay")?;
        let backoff = match preset.backoff() {
            Backoff::Exponential {
                first: f,
                factor,
                max: m,
                attempts: a,
            } => Backoff::Exponential {
                first: first.unwrap_or(*f),
                factor: self.multiplier.unwrap_or(*factor),
                max: max.unwrap_or(m.max(first.unwrap_or(*f))),
                attempts: attempts.unwrap_or(*a),
            },
            Backoff::Delays(_) if first.is_some() || max.is_some() || self.multiplier.is_some() => {
                return Err(Invalid::new(
                    "retry.preset",
                    "is a list of delays: `initial_delay`, `max_delay` and `multiplier` do not apply",
                ));
            }
            Backoff::Delays(delays) => Backoff::Delays(cut(delays.clone(), attempts)?),
        };
        RetryPolicy::new(backoff, jitter)
    }
}

fn cut(mut delays: Vec<f64>, attempts: Option<u32>) -> Result<Vec<f64>, Invalid> {
    if attempts == Some(0) {
        return Err(Invalid::new(
            "retry.max_attempts",
            "must be between 1 and 50",
        ));
    }
    delays.truncate(attempts.map_or(usize::MAX, |attempts| attempts as usize));
    Ok(delays)
}
