# How long /decide takes at a constant 500 requests a second beside a loop that ticks, forecasts and serves traffic. Prints;
# judges only that everything is answered: how late answers are, other work on the machine decides as well. E2E_FULL=1 asks
# for a minute.
set -euo pipefail
if [ "${E2E_FULL:-0}" = 1 ]; then seconds=60; else seconds=6; fi
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/lib.bash"

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: decide_latency needs python3"
    exit 0
fi

# Two days of load to forecast from, so that the loop beside it does all it can do.
"$FORESAIL" generate --days 2 --output "$WORK/past.csv" >/dev/null 2>&1
cat >"$WORK/foresail.toml" <<END
data = "data"

[server]
listen = "127.0.0.1:0"

[service.web]
mode = "act"
tick = "1s"
capacity_rps = 100.0
workers = 2
startup = "1s"
min = 2
max = 4
history = { file = "past.csv", value = "requests", per = "1m" }

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]
workers = 1

[service.web.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--workers=2", "--service-time=3ms"]
folder = "$WORK/web"
initial = 2
END

"$FORESAIL" run --config "$WORK/foresail.toml" 2>"$WORK/run.log" &
run=$!
trap 'kill "$run" 2>/dev/null || true; wait' EXIT
front="$(said "$WORK/run.log" 'web: listening on ' "$run" 60)"
api="$(said "$WORK/run.log" 'dashboard and API: http://' "$run")"
python3 "$here/decide_latency.py" "$api" "$front" 500 "$seconds" 50

# The same by a client in C, which waits between requests instead of keeping a schedule: 20 connections, 40 ms each.
if command -v wrk >/dev/null 2>&1; then
    cat >"$WORK/decide.lua" <<'END'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
function request()
    n = n + 1
    return wrk.format(nil, nil, nil, '{"load_rps": ' .. (n % 400) .. '}')
end
function delay() return 39 end
function done(summary, latency)
    print(string.format("decide by wrk: p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, %.0f requests a second", latency:percentile(50) / 1000,
        latency:percentile(99) / 1000, latency:percentile(99.9) / 1000, summary.requests * 1e6 / summary.duration))
end
END
    wrk -t1 -c20 "-d${seconds}s" -s "$WORK/decide.lua" "http://${api%/}/decide" | grep -E '^decide by wrk|Non-2xx'
else
    echo "skipped: decide_latency by wrk, which scripts/test-deps installs"
fi
kill -TERM "$run"
wait "$run" || { cat "$WORK/run.log"; exit 1; }
trap - EXIT
