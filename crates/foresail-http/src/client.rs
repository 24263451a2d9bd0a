//! Asking.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::connect::{Stream, connect, tls};
use crate::response::retry_after;
use crate::{Auth, Endpoint, Error, Response, Stage};

/// How requests are made.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Who is asking.
    pub auth: Auth,
    /// Most time until there is a connection. Default 5 s.
    pub connect_timeout: Duration,
    /// Most time for the whole of a request. Default 30 s.
    pub timeout: Duration,
    /// Most bytes of an answer's body. Default 64 MiB.
    pub max_bytes: usize,
    /// Certificates (PEM) of authorities to trust beside the public ones.
    pub ca_pem: Option<Vec<u8>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_bytes: 64 << 20,
            ca_pem: None,
        }
    }
}

/// Makes requests, each on a connection of its own.
#[derive(Clone)]
pub struct Client {
    authorization: Option<HeaderValue>,
    connect_timeout: Duration,
    timeout: Duration,
    max_bytes: usize,
    tls: TlsConnector,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).field("max_bytes", &self.max_bytes).finish()
    }
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// [`Error::BadOption`].
    pub fn new(options: &ClientOptions) -> Result<Self, Error> {
        Ok(Self {
            authorization: options.auth.header()?,
            connect_timeout: options.connect_timeout,
            timeout: options.timeout,
            max_bytes: options.max_bytes,
            tls: tls(options.ca_pem.as_deref())?,
        })
    }

    /// Reads what is at `endpoint`.
    ///
    /// # Errors
    /// [`Error`]; an answer that says no is none, except a redirect.
    pub async fn get(&self, endpoint: &Endpoint) -> Result<Response, Error> {
        self.send(Method::GET, endpoint, &[], Bytes::new()).await
    }

    /// Sends JSON to `endpoint`, with further headers.
    ///
    /// # Errors
    /// As [`Client::get`]; [`Error::BadOption`] for headers that cannot be sent.
    pub async fn post_json(
        &self,
        endpoint: &Endpoint,
        headers: &[(&str, &str)],
        json: impl Into<Bytes>,
    ) -> Result<Response, Error> {
        self.send(Method::POST, endpoint, headers, json.into()).await
    }

    async fn send(
        &self,
        method: Method,
        endpoint: &Endpoint,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Response, Error> {
        let request = self.request(&method, endpoint, headers, body)?;
        let host = || endpoint.host().to_owned();
        let end = Instant::now() + self.timeout;
        let late = |stage, after| move |_| Error::TimedOut { host: host(), stage, after };
        let within = self.connect_timeout.min(self.timeout);
        let stream = timeout(within, connect(endpoint, &self.tls));
        let stream = stream.await.map_err(late(Stage::Connect, within))??;
        let exchange = timeout_at(end, self.exchange(endpoint, stream, request));
        exchange.await.map_err(late(Stage::Answer, self.timeout))?
    }

    fn request(
        &self,
        method: &Method,
        endpoint: &Endpoint,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(endpoint.target())
            .header(HOST, endpoint.authority())
            .header(USER_AGENT, concat!("foresail/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json");
        if *method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bad = |_| Error::BadOption { option: "header or address", expected: "visible ASCII characters" };
        request.body(Full::new(body)).map_err(bad)
    }

    /// One request and its answer. The connection ends with it.
    async fn exchange(
        &self,
        endpoint: &Endpoint,
        stream: Stream,
        request: Request<Full<Bytes>>,
    ) -> Result<Response, Error> {
        let failed = |error: hyper::Error| exchange_error(endpoint, &error);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            self.read(endpoint, response).await
        };
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            // A connection that has ended has handed over all it read, or the cause of its end.
            _ = connection => answer.await,
        }
    }

    async fn read(&self, endpoint: &Endpoint, response: hyper::Response<Incoming>) -> Result<Response, Error> {
        let status = response.status();
        let host = || endpoint.host().to_owned();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let to = to.unwrap_or_default().chars().take(200).collect();
            return Err(Error::Redirected { host: host(), status: status.as_u16(), to });
        }
        let retry_after = retry_after(response.headers());
        let body = Limited::new(response.into_body(), self.max_bytes).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => exchange_error(endpoint, &error),
            Err(error) if error.is::<LengthLimitError>() => Error::TooLong { host: host(), max_bytes: self.max_bytes },
            Err(error) => Error::Exchange { host: host(), what: error.to_string(), broke: false },
        })?;
        Ok(Response { status: status.as_u16(), retry_after, body: body.to_bytes() })
    }
}

fn exchange_error(endpoint: &Endpoint, error: &hyper::Error) -> Error {
    // hyper's text is general; the cause behind it says what happened.
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let broke = !error.is_parse() && !error.is_user();
    Error::Exchange { host: endpoint.host().to_owned(), what: format!("{error}{cause}"), broke }
}
