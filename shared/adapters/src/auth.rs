//! Who calls.

use hookpost_domain::{Invalid, TenantId};
use sha2::{Digest, Sha256};

use crate::Config;
use crate::api::{Call, Problem};

/// Whoever made a call, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose resources the call is about.
    pub tenant: TenantId,
}

impl Caller {
    /// Whether it speaks for whichever tenant it names: the only key there is does.
    pub const fn speaks_for_all(&self) -> bool {
        true
    }
}

/// Tells who calls, by `Authorization: Bearer <key>` or `X-Api-Key: <key>`. `X-Tenant` says for
/// which tenant; without it, it is `default`.
///
/// # Errors
/// 401 without a key that is known, 400 for a tenant that cannot be one.
pub fn authenticate(call: &Call, config: &Config) -> Result<Caller, Problem> {
    if config.auth_required && !is_admin(call, config) {
        return Err(Problem::unauthorized());
    }
    let tenant = match call.text_header("X-Tenant")? {
        None => TenantId::default(),
        Some(text) => {
            let named = |invalid: Invalid| Invalid::new("X-Tenant", invalid.rule);
            text.parse().map_err(named)?
        }
    };
    Ok(Caller { tenant })
}

fn is_admin(call: &Call, config: &Config) -> bool {
    let bearer = call.header("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let (Some(key), Some(wanted)) = (
        bearer.or_else(|| call.header("x-api-key")),
        &config.admin_key_sha256,
    ) else {
        return false;
    };
    let digest = Sha256::digest(key.as_bytes());
    let given = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let given = given.map(|nibble| char::from_digit(nibble.into(), 16).unwrap_or_default() as u8);
    // Looks at every byte, whatever the first ones are.
    let difference = given
        .zip(wanted.bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    wanted.len() == 64 && difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(hash: &str, auth: &str) -> Config {
        Config::parse(|name| match name {
            "AUTH" => Some(auth.to_owned()),
            "ADMIN_KEY_SHA256" => Some(hash.to_owned()),
            _ => (name.ends_with("_TABLE") || name.ends_with("_URL")).then(|| "x".to_owned()),
        })
        .unwrap()
    }

    fn call(headers: &[(&str, &str)]) -> Call {
        Call::for_tests("GET", "/", headers)
    }

    #[test]
    fn only_the_key_opens() {
        // printf secret | sha256sum
        let config = config(
            "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
            "required",
        );
        assert!(authenticate(&call(&[("authorization", "Bearer secret")]), &config).is_ok());
        assert!(authenticate(&call(&[("x-api-key", "secret")]), &config).is_ok());
        for headers in [
            &[][..],
            &[("authorization", "Bearer wrong")],
            &[("authorization", "Basic secret")],
            &[("x-api-key", "")],
        ] {
            assert_eq!(
                authenticate(&call(headers), &config).unwrap_err().status,
                401
            );
        }
    }

    #[test]
    fn without_a_configured_key_nothing_opens() {
        let config = config("", "required");
        assert!(authenticate(&call(&[("x-api-key", "")]), &config).is_err());
    }

    #[test]
    fn the_tenant_is_named_by_a_header() {
        let config = config("", "off");
        assert_eq!(
            authenticate(&call(&[("x-tenant", "acme")]), &config)
                .unwrap()
                .tenant
                .as_str(),
            "acme"
        );
        assert_eq!(
            authenticate(&call(&[("x-tenant", "a#b")]), &config)
                .unwrap_err()
                .status,
            422
        );
    }
}
