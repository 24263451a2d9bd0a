# A service whose load only a Prometheus knows: a real Prometheus scrapes it, `foresail run` asks that Prometheus, tells a
# real Alertmanager when it falls silent and again when it is back, and takes a changed configuration over without a
# restart.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

PATH="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/e2e/debian/usr/bin:$PATH"
for tool in prometheus prometheus-alertmanager; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "skipped: live_sources needs $tool; scripts/test-deps installs it"
        exit 0
    fi
done

# A port nobody listens on. Another may take it before we do: then the server that wanted it says so and the test fails.
free() {
    local port
    while :; do
        port=$((20000 + RANDOM % 30000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}
# SECONDS WHAT COMMAND...: until the command succeeds.
await() {
    local seconds="$1" what="$2"
    shift 2
    for _ in $(seq "$((seconds * 5))"); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "not within $seconds s: $what"
    tail -n 20 "$WORK"/*.log
    exit 1
}

shop="127.0.0.1:$(free)"
metrics="127.0.0.1:$(free)"
alerts="127.0.0.1:$(free)"
trap 'kill $(jobs -p) 2>/dev/null || true; pkill -f "^$FORESAIL sample-service.*service-time=7ms" || true' EXIT

# The service with its load: a fleet of its own, whose metrics Prometheus scrapes.
cat >"$WORK/shop.toml" <<END
data = "shop"
[server]
listen = "$shop"
[service.shop]
mode = "observe"
tick = "1s"
capacity_rps = 100.0
max = 4
[service.shop.fingerprint]
interval = "10s"
[service.shop.fingerprint.metrics]
url = "http://$metrics"
queries = { asked = "foresail_load_rps{service=\"shop\"}", absent = "no_such_metric" }
[service.shop.proxy]
listen = [{ address = "127.0.0.1:0" }]
workers = 1
[service.shop.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--workers=2", "--service-time=7ms"]
folder = "$WORK/copies"
END
"$FORESAIL" run --config "$WORK/shop.toml" 2>"$WORK/shop.log" &
front() { sed -n 's/^shop: listening on //p' "$WORK/shop.log"; }
await 30 "the shop listens" grep -q 'listening on' "$WORK/shop.log"
visit() {
    local address
    address="$(front)"
    while ask "$address" GET / >/dev/null 2>&1 || sleep 0.2; do sleep 0.01; done
}
visit &

cat >"$WORK/prometheus.yml" <<END
global: { scrape_interval: 1s }
scrape_configs: [{ job_name: shop, static_configs: [{ targets: ["$shop"] }] }]
END
begin_prometheus() {
    prometheus --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" --web.listen-address="$metrics" \
        2>>"$WORK/prometheus.log" &
    prometheus=$!
}
begin_prometheus
cat >"$WORK/alertmanager.yml" <<END
route: { receiver: nobody, group_wait: 0s, group_interval: 1s }
receivers: [{ name: nobody }]
END
prometheus-alertmanager --config.file="$WORK/alertmanager.yml" --storage.path="$WORK/am" --web.listen-address="$alerts" \
    --cluster.listen-address= 2>"$WORK/alertmanager.log" &
has_load() { ask "$metrics" GET "/api/v1/query?query=foresail_load_rps" | grep -q '"value":\[[^]]*"[1-9]'; }
await 30 "Prometheus has the load" has_load

# What the application tells of itself belongs to the fingerprint; what does not answer is a gap in it.
tells_of_itself() {
    ask "$shop" GET /api/v1/services/shop/fingerprint | grep -q '"own":\[{"name":"asked",[^]}]*"value":[1-9][^]}]*}\]'
}
await 60 "the fingerprint holds the application's own figures" tells_of_itself

# Who watches it from outside.
configure() { # MAX
    cat >"$WORK/watch.toml" <<END
data = "watch"
[server]
listen = "127.0.0.1:0"
[[notify]]
kind = "alertmanager"
name = "ops"
url = "http://$alerts"
labels = { team = "e2e" }
[service.web]
mode = "observe"
tick = "1s"
capacity_rps = 50.0
max = $1
[service.web.prometheus]
url = "http://$metrics"
query = "foresail_load_rps{service=\"shop\"}"
delay = "1s"
backfill = "10m"
END
}
configure 20
"$FORESAIL" config check "$WORK/watch.toml"
"$FORESAIL" run --config "$WORK/watch.toml" 2>"$WORK/watch.log" &
watch=$!
await 30 "the watcher listens" grep -q 'dashboard and API' "$WORK/watch.log"
address="$(sed -n 's|^dashboard and API: http://||p' "$WORK/watch.log")"
address="${address%/}"
sees_load() { ask "$address" GET /api/v1/services/web | grep -q '"load_rps":[1-9]'; }
await 30 "the watcher sees the load" sees_load

# Silence, and its end.
lists() { ask "$alerts" GET /api/v2/alerts | grep -q "\"alertname\":\"$1\".*\"team\":\"e2e\""; }
kill "$prometheus"
wait "$prometheus" 2>/dev/null || true
await 60 "Alertmanager is told of the silence" lists silent
begin_prometheus
over() { ask "$address" GET /api/v1/services/web/alerts | grep -q '"ended":"[^}]*"kind":"silent"'; }
await 60 "the silence is over" over
forgotten() { ! lists silent; }
await 30 "Alertmanager is told that it is over" forgotten

# A configuration that is wrong changes nothing; one that is right is taken over.
configure 0
kill -HUP "$watch"
await 10 "the wrong file is refused" grep -q 'watch.toml:13: service.web.max: is 0' "$WORK/watch.log"
await 10 "the wrong file has changed nothing" sees_load
configure 31
kill -HUP "$watch"
await 20 "the new file is taken over" grep -q 'configuration reloaded' "$WORK/watch.log"
limited() { ask "$address" GET /api/v1/services/web | grep -q '"limits":\[1,31\]'; }
await 20 "the new limit holds" limited
await 20 "the load is seen after the reload" sees_load

kill -TERM "$watch"
wait "$watch" || { cat "$WORK/watch.log"; exit 1; }
echo "silence told and taken back; a wrong file refused, a right one taken over"
