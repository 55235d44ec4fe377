//! Headers, as the frameworks have them.

use std::collections::{BTreeMap, HashMap};

/// Where a header is looked up, whatever the case of its name.
pub trait Headers {
    /// A header's value, if it is there and is text. `name` is in lower case.
    fn get(&self, name: &str) -> Option<&str>;
}

impl Headers for http::HeaderMap {
    fn get(&self, name: &str) -> Option<&str> {
        Self::get(self, name)?.to_str().ok()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> Headers for [(N, V)] {
    fn get(&self, name: &str) -> Option<&str> {
        find(self.iter().map(|(name, value)| (name, value)), name)
    }
}

impl<N: AsRef<str>, V: AsRef<str>, const LEN: usize> Headers for [(N, V); LEN] {
    fn get(&self, name: &str) -> Option<&str> {
        Headers::get(self.as_slice(), name)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> Headers for Vec<(N, V)> {
    fn get(&self, name: &str) -> Option<&str> {
        Headers::get(self.as_slice(), name)
    }
}

impl<N: AsRef<str>, V: AsRef<str>, S> Headers for HashMap<N, V, S> {
    fn get(&self, name: &str) -> Option<&str> {
        find(self.iter(), name)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> Headers for BTreeMap<N, V> {
    fn get(&self, name: &str) -> Option<&str> {
        find(self.iter(), name)
    }
}

fn find<'a, N: AsRef<str> + 'a, V: AsRef<str> + 'a>(
    mut headers: impl Iterator<Item = (&'a N, &'a V)>,
    wanted: &str,
) -> Option<&'a str> {
    let found = headers.find(|(name, _)| name.as_ref().eq_ignore_ascii_case(wanted));
    found.map(|(_, value)| value.as_ref())
}
