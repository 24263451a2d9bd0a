//! The dashboard over a synthetic day: `cargo run -p foresail-server --example demo_plane [ADDRESS] [TICKS] [TOKEN]`.
//!
//! Nothing is scaled: it is there to look at pages and to try the API.

#[path = "plane.rs"]
mod plane;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use foresail_server::api::{Role, Server, ServerConfig, TokenConfig};
use plane::DemoPlane;

/// Ticks of 15 s before the first look, from midnight: until a quarter past three in the afternoon, in the flash crowd.
const TICKS: u64 = 61 * 60;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut config = ServerConfig::default();
    if let Some(address) = arguments.next() {
        config.listen = address.parse()?;
    }
    let ticks = arguments.next().map_or(Ok(TICKS), |ticks| ticks.parse())?;
    if let Some(token) = arguments.next() {
        let name = "demo".to_owned();
        config.tokens.push(TokenConfig { name, role: Role::Operate, token: Some(token), token_file: None });
    }
    let plane = Arc::new(DemoPlane::new(ticks));
    let server = Server::bind(&config, plane.clone()).await?;
    eprintln!("listening on {}", server.url());
    let ticking = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(1250));
        loop {
            ticks.tick().await;
            plane.advance();
        }
    });
    server
        .run(async {
            // Without a handler the process ends all the same.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await;
    ticking.abort();
    Ok(())
}
