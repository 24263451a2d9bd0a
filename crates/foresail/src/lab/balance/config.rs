//! The configurations: each proxy with two threads, kept connections, the same limits of time and the same probes, and no
//! second attempt anywhere.

use std::fmt::Write;
use std::path::Path;

use super::contender::Contender;

/// Ports and paths of one trial.
#[derive(Clone, Debug)]
pub(super) struct Wiring<'a> {
    /// Where the proxy listens.
    pub(super) port: u16,
    /// Where the endpoints do.
    pub(super) endpoints: &'a [u16],
    /// Its folder.
    pub(super) folder: &'a Path,
}

/// The text of a contender's configuration.
pub(super) fn config(contender: Contender, wiring: &Wiring<'_>) -> String {
    match contender {
        Contender::Learned => ours(r#"{ "policy": "learned", "contest": false }"#, wiring),
        Contender::LearnedContest => ours(r#"{ "policy": "learned" }"#, wiring),
        Contender::PeakEwma => ours(r#"{ "policy": "peak_ewma" }"#, wiring),
        Contender::LeastRequest => ours(r#"{ "policy": "least_request", "choices": 64 }"#, wiring),
        Contender::NginxLeastConn => nginx(wiring),
        Contender::HaproxyLeastconn => haproxy("leastconn", "", wiring),
        Contender::HaproxyRandom2 => haproxy("random(2)", "", wiring),
        Contender::HaproxyObserve => haproxy("leastconn", " observe layer7 error-limit 5 on-error mark-down", wiring),
    }
}

fn ours(balancer: &str, wiring: &Wiring<'_>) -> String {
    let port = wiring.port;
    format!(
        r#"{{
  "listen": [{{ "address": "127.0.0.1:{port}" }}],
  "workers": 2,
  "balancer": {balancer},
  "deadlines": {{ "connect": "1s", "first_byte": "1s" }},
  "retry": {{ "attempts": 0 }},
  "health": {{ "active": {{ "path": "/healthz", "interval": "500ms", "timeout": "500ms", "healthy_after": 2, "unhealthy_after": 2 }} }}
}}
"#
    )
}

/// The free nginx has no probes; what it has is the count of errors, set as ours is.
fn nginx(wiring: &Wiring<'_>) -> String {
    let (port, folder) = (wiring.port, wiring.folder.display());
    let mut servers = String::new();
    for endpoint in wiring.endpoints {
        write!(servers, "\n    server 127.0.0.1:{endpoint} max_fails=5 fail_timeout=5s;").expect("a string takes it");
    }
    format!(
        "worker_processes 2;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/t1;
  proxy_temp_path {folder}/t2;
  fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4;
  scgi_temp_path {folder}/t5;
  keepalive_requests 1000000000;
  upstream fleet {{
    zone fleet 256k;
    least_conn;{servers}
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} reuseport;
    location / {{
      proxy_pass http://fleet;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_next_upstream off;
      proxy_connect_timeout 1s;
      proxy_read_timeout 1s;
    }}
  }}
}}
"
    )
}

fn haproxy(balance: &str, observe: &str, wiring: &Wiring<'_>) -> String {
    let port = wiring.port;
    let mut servers = String::new();
    for (index, endpoint) in wiring.endpoints.iter().enumerate() {
        write!(servers, "\n  server s{index} 127.0.0.1:{endpoint} check inter 500ms fall 2 rise 2{observe}")
            .expect("a string takes it");
    }
    format!(
        "global
  nbthread 2
  maxconn 8192
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 1s
  timeout check 500ms
  timeout queue 1s
  timeout http-request 10s
  retries 0
  no option redispatch
  http-reuse always
  option forwardfor
frontend front
  bind 127.0.0.1:{port}
  default_backend fleet
backend fleet
  balance {balance}
  option httpchk GET /healthz{servers}
"
    )
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use foresail_proxy::ProxyConfig;

    use super::*;

    #[test]
    fn configurations_are_as_they_were_looked_at() {
        let wiring = Wiring { port: 8000, endpoints: &[9000, 9001], folder: Path::new("/folder") };
        let mut all = String::new();
        for contender in Contender::value_variants() {
            let text = config(*contender, &wiring);
            write!(all, "== {}\n{text}", contender.name()).unwrap();
            if contender.is_ours() {
                serde_json::from_str::<ProxyConfig>(&text).unwrap().check().unwrap();
            }
        }
        insta::assert_snapshot!(all);
    }
}
