//! A file elsewhere, fetched again and again: a calendar or signals behind an address.

use std::time::Duration;

use foresail_http::{Auth, Client, ClientOptions, Endpoint};

use crate::{Error, Source};

/// Where a feed is, and how it is asked.
#[derive(Clone, Debug)]
pub struct FeedOptions {
    /// Its address, `http` or `https`.
    pub url: String,
    /// How the asker is known.
    pub auth: Auth,
    /// Time for one answer, above zero.
    pub timeout: Duration,
    /// Longest answer taken, bytes.
    pub max_bytes: usize,
}

impl FeedOptions {
    /// For an address that asks for no password: 10 s, 16 MiB.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), auth: Auth::None, timeout: Duration::from_secs(10), max_bytes: 16 << 20 }
    }
}

/// A file behind an address. When it is asked, and what is done when it does not answer, its owner decides: what was read
/// last stays known until something newer is.
#[derive(Clone, Debug)]
pub struct Feed {
    client: Client,
    endpoint: Endpoint,
}

impl Feed {
    /// A feed that is asked as `options` say. Asks nothing yet.
    ///
    /// # Errors
    /// [`Error::Http`] for an address that cannot be used.
    pub fn new(options: FeedOptions) -> Result<Self, Error> {
        let FeedOptions { url, auth, timeout, max_bytes } = options;
        let client = Client::new(&ClientOptions { auth, timeout, max_bytes, ..ClientOptions::default() })?;
        Ok(Self { client, endpoint: Endpoint::parse(&url)? })
    }

    /// Asks once; the answer's bytes go by the address's name into [`read_calendar`](crate::read_calendar) or
    /// [`read_signals`](crate::read_signals).
    ///
    /// # Errors
    /// [`Error::Http`] without an answer, [`Error::Refused`] for one that is none.
    pub async fn fetch(&self) -> Result<Source, Error> {
        let response = self.client.get(&self.endpoint).await?;
        if !response.is_success() {
            return Err(Error::Refused {
                url: self.endpoint.to_string(),
                status: response.status,
                kind: String::new(),
                message: response.excerpt(120),
                retry_after: response.retry_after,
            });
        }
        Ok(Source::bytes(self.endpoint.to_string(), response.body.to_vec()))
    }
}
