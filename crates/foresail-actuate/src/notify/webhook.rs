//! Any receiver that takes JSON.

use async_trait::async_trait;
use foresail_core::Timestamp;
use foresail_http::{Client, ClientOptions, Endpoint, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::delivery::Delivery;
use super::sender::{SendError, Sender};

/// Where to, and signed with what.
#[derive(Clone, Debug)]
pub struct WebhookOptions {
    /// The address.
    pub url: String,
    /// Signs each message, so that the receiver knows whose it is. At least 16 bytes.
    pub secret: Option<Secret>,
    /// Authorisation, time-outs and authorities.
    pub client: ClientOptions,
}

/// Posts each message as JSON: `status` (`firing` or `resolved`), `service`, `kind`, `severity`, `alerts` and `omitted`.
///
/// With a secret, `X-Foresail-Signature` is `sha256=` and the HMAC-SHA256, in hexadecimal digits, of
/// `X-Foresail-Timestamp` (seconds since 1970), a full stop and the body: a receiver that refuses old timestamps cannot
/// be fooled by a message replayed.
#[derive(Clone, Debug)]
pub struct Webhook {
    endpoint: Endpoint,
    client: Client,
    secret: Option<Secret>,
}

impl Webhook {
    /// A webhook.
    ///
    /// # Errors
    /// [`SendError::Http`] or [`SendError::BadOption`] for an address, a secret or client options that cannot be used.
    pub fn new(options: WebhookOptions) -> Result<Self, SendError> {
        if options.secret.as_ref().is_some_and(|s| s.reveal().len() < 16) {
            return Err(SendError::BadOption { option: "secret", expected: "at least 16 bytes" });
        }
        let (endpoint, client) = (Endpoint::parse(&options.url)?, Client::new(&options.client)?);
        Ok(Self { endpoint, client, secret: options.secret })
    }
}

#[async_trait]
impl Sender for Webhook {
    async fn send(&self, now: Timestamp, delivery: &Delivery) -> Result<(), SendError> {
        let body = body(delivery);
        let timestamp = now.as_micros().div_euclid(1_000_000).to_string();
        let id = format!("{}-{timestamp}", delivery.id);
        let mut headers = vec![("x-foresail-delivery", id.as_str()), ("x-foresail-timestamp", &timestamp)];
        let signature = self.secret.as_ref().map(|secret| signature(secret, &timestamp, &body));
        if let Some(signature) = &signature {
            headers.push(("x-foresail-signature", signature));
        }
        SendError::check(&self.client.post_json(&self.endpoint, &headers, body).await?)
    }
}

pub(super) fn body(delivery: &Delivery) -> Vec<u8> {
    let Delivery { service, kind, alerts, omitted, .. } = delivery;
    let body = json!({
        "version": 1,
        "status": if delivery.is_firing() { "firing" } else { "resolved" },
        "service": service,
        "kind": kind,
        "severity": delivery.severity(),
        "alerts": alerts,
        "omitted": omitted,
    });
    body.to_string().into_bytes()
}

pub(super) fn signature(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("a key of any length will do");
    for part in [timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    let digits = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256={digits}")
}
