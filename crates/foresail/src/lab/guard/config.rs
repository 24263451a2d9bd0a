//! The configurations: each proxy with two threads, kept connections, no second attempt, and the addresses of clients from
//! `X-Forwarded-For`. Ours and HAProxy keep the origin from more than it can do at once; what is beyond waits in them for
//! a second. The free nginx cannot let requests wait, so that there the origin's own queue does.

use std::path::Path;

use super::contender::Contender;

/// What a proxy is told.
#[derive(Clone, Debug)]
pub(super) struct Wiring<'a> {
    /// Where the proxy listens.
    pub(super) port: u16,
    /// Where the origin does.
    pub(super) origin: u16,
    /// Requests that the origin can do at once.
    pub(super) workers: u32,
    /// What the guard has learned.
    pub(super) state: &'a Path,
    /// For files of the proxy.
    pub(super) folder: &'a Path,
}

/// The text of a contender's configuration.
pub(super) fn config(contender: Contender, wiring: &Wiring<'_>) -> String {
    match contender {
        Contender::Guard => {
            let state = wiring.state.display();
            ours(&format!(",\n  \"guard\": {{ \"mode\": \"enforce\", \"state\": \"{state}\" }}"), wiring)
        }
        Contender::Unguarded => ours("", wiring),
        Contender::HaproxyStickTable => haproxy(wiring),
        Contender::NginxLimitReq => nginx(wiring),
    }
}

fn ours(guard: &str, wiring: &Wiring<'_>) -> String {
    let Wiring { port, workers, .. } = wiring;
    format!(
        r#"{{
  "listen": [{{ "address": "127.0.0.1:{port}" }}],
  "workers": 2,
  "trusted_proxies": ["127.0.0.1/32"],
  "admission": {{ "in_flight_per_endpoint": {workers}, "queue": 128, "queue_time": "1s" }},
  "deadlines": {{ "connect": "1s", "first_byte": "2s" }},
  "retry": {{ "attempts": 0 }}{guard}
}}
"#
    )
}

fn haproxy(wiring: &Wiring<'_>) -> String {
    let Wiring { port, origin, workers, .. } = wiring;
    format!(
        "global
  nbthread 2
  maxconn 8192
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 2s
  timeout queue 1s
  timeout http-request 10s
  retries 0
  no option redispatch
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  stick-table type ipv6 size 1m expire 60s store http_req_rate(10s)
  http-request track-sc0 req.hdr_ip(x-forwarded-for,-1)
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 100 }}
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin} maxconn {workers}
"
    )
}

fn nginx(wiring: &Wiring<'_>) -> String {
    let Wiring { port, origin, .. } = wiring;
    let folder = wiring.folder.display();
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
  set_real_ip_from 127.0.0.1;
  real_ip_header X-Forwarded-For;
  limit_req_zone $binary_remote_addr zone=clients:64m rate=10r/s;
  upstream origin {{
    server 127.0.0.1:{origin} max_fails=0;
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} reuseport;
    location / {{
      limit_req zone=clients burst=50 nodelay;
      limit_req_status 429;
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_next_upstream off;
      proxy_connect_timeout 1s;
      proxy_read_timeout 2s;
    }}
  }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use clap::ValueEnum;
    use foresail_proxy::ProxyConfig;

    use super::*;
    use crate::lab::peers::Program;

    #[test]
    fn configurations_are_as_they_were_looked_at() {
        let (state, folder) = (Path::new("/folder/guard.json"), Path::new("/folder"));
        let wiring = Wiring { port: 8000, origin: 9000, workers: 8, state, folder };
        let mut all = String::new();
        for contender in Contender::value_variants() {
            let text = config(*contender, &wiring);
            write!(all, "== {}\n{text}", contender.name()).unwrap();
            if contender.program() == Program::Ours {
                serde_json::from_str::<ProxyConfig>(&text).unwrap().check().unwrap();
            }
        }
        insta::assert_snapshot!(all);
    }
}
