# The dashboard in a real browser, over the live demo and over a `foresail run` that waits for approval.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/lib.bash"
python="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/e2e/venv/bin/python"

if ! command -v chromium >/dev/null 2>&1 || [ ! -x "$python" ]; then
    echo "skipped: dashboard needs chromium and a driver for it; scripts/test-deps installs them"
    exit 0
fi

cat >"$WORK/foresail.toml" <<END
data = "data"

[server]
listen = "127.0.0.1:0"
tokens = [
    { name = "eyes", role = "read", token = "read-0123456789abcdef" },
    { name = "ops", role = "operate", token = "operate-0123456789abcdef" },
]

[service.web]
mode = "recommend"
tick = "1s"
capacity_rps = 20.0
learn_capacity = false
workers = 2
startup = "1s"
min = 1
max = 16
fingerprint = { interval = "10s" }
guardrails = { surge_least = 1, surge_share = 0.1, surge_period = "2s" } # so that one approval leaves something to ask for

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]
workers = 1
router = { services = { first = ["1"] }, state = "web.router" } # the other copies are one more service

[service.web.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--workers=2", "--service-time=3ms"]
folder = "$WORK/web"
initial = 1
END

trap 'kill "${pids[@]}" 2>/dev/null || true; wait' EXIT
"$FORESAIL" demo --fast --seed 1 --peak 300 --stay --output "$WORK/demo" --listen 127.0.0.1:0 >"$WORK/demo.out" 2>"$WORK/demo.log" &
pids=($!)
"$FORESAIL" run --config "$WORK/foresail.toml" 2>"$WORK/run.log" &
pids+=($!)

demo="$(said "$WORK/demo.log" 'dashboard: ' "${pids[0]}")"
run="$(said "$WORK/run.log" 'dashboard and API: ' "${pids[1]}")"
proxy="http://$(said "$WORK/run.log" 'web: listening on ' "${pids[1]}")"
mkdir -p "$WORK/shots"
timeout 300 "$python" "$here/dashboard.py" "$demo" "$run" "$proxy" read-0123456789abcdef operate-0123456789abcdef "$WORK/shots"
kill -INT "${pids[@]}"
wait "${pids[@]}"
trap - EXIT
