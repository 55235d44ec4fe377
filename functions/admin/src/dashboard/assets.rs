//! The dashboard's files, as `dashboard/dist` has them.

/// A file of the page.
#[derive(Debug)]
pub(super) struct Asset {
    /// Its path below `/dashboard/`.
    pub(super) path: &'static str,
    /// Its entity tag, quoted.
    pub(super) tag: &'static str,
    /// Its bytes, compressed.
    pub(super) gzip: &'static [u8],
}

/// All of them but the page itself.
pub(super) const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page.
pub(super) const PAGE: &str = include_str!(concat!(env!("OUT_DIR"), "/index.html"));

impl Asset {
    /// The file of this path.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.path == path)
    }

    /// What it is, by the end of its name.
    pub(super) fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json") => "application/json",
            Some("txt") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }

    /// Whether its name changes with what is in it, so that it can be kept for ever.
    pub(super) fn is_hashed(&self) -> bool {
        self.path.starts_with("assets/")
    }
}
