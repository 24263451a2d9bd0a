//! A file elsewhere, fetched again and again: a calendar or signals behind an address.

use foresail_http::{Client, ClientOptions, Endpoint};

use crate::{Error, Source};

/// A file behind an address. When it is asked, and what is done when it does not answer, its owner decides: what was read
/// last stays known until something newer is.
#[derive(Clone, Debug)]
pub struct Feed {
    client: Client,
    endpoint: Endpoint,
}

impl Feed {
    /// The file at `url` (`http` or `https`), asked for as `options` say. Asks nothing yet.
    ///
    /// # Errors
    /// [`Error::Http`] for an address or certificates that cannot be used.
    pub fn new(url: &str, options: &ClientOptions) -> Result<Self, Error> {
        Ok(Self { client: Client::new(options)?, endpoint: Endpoint::parse(url)? })
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
