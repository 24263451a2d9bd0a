# Slow clients by the hundred (E2E_FULL=1: by the thousand) must not keep a normal one from being served: slowhttptest holds
# sockets open with slow headers, slow bodies and slow reading, one after the other, and at least 99.9 % of what a normal
# client asks meanwhile must be answered 200 within a second.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/lib.bash"

for tool in slowhttptest python3; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "skipped: slow_clients needs $tool"
        exit 0
    fi
done
if [ "${E2E_FULL:-0}" = 1 ]; then sockets=5000 rate=1000 seconds=40; else sockets=500 rate=500 seconds=15; fi
# Each socket is one here, one at the attacker's, and one more towards the service.
if ! ulimit -n $((2 * sockets + 2000)); then
    echo "skipped: slow_clients needs $((2 * sockets + 2000)) open files"
    exit 0
fi

cat >"$WORK/foresail.toml" <<END
data = "data"

[server]
listen = "127.0.0.1:0"

[service.web]
mode = "observe"
tick = "1s"
capacity_rps = 100.0
workers = 4
startup = "1s"
min = 3
max = 3

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]

[service.web.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--workers=4", "--service-time=3ms", "--body=65536"]
folder = "$WORK/web"
initial = 3
END

"$FORESAIL" run --config "$WORK/foresail.toml" 2>"$WORK/run.log" &
run=$!
trap 'kill "$run" 2>/dev/null || true; wait' EXIT
front="$(said "$WORK/run.log" 'web: listening on ' "$run")"

failed=0
attack() { # NAME OPTIONS
    local name=$1
    shift
    slowhttptest -c "$sockets" -r "$rate" -l "$seconds" -u "http://$front/" -p 3 "$@" >"$WORK/$name.log" 2>&1 &
    local attacker=$!
    python3 "$here/slow_clients.py" "$front" "$seconds" "$name" "$WORK/$name.log" || failed=1
    kill "$attacker" 2>/dev/null || true
    wait "$attacker" 2>/dev/null || true
}
attack "slow headers" -H -i 5 -t GET
attack "slow body" -B -i 5 -s 8192 -x 10
# These get answers, so they come no faster than the service can answer them.
attack "slow read" -X -k 3 -n 2 -w 256 -y 512 -z 16 -r $((rate / 4))
kill -0 "$run" || { cat "$WORK/run.log"; exit 1; }
kill -TERM "$run"
wait "$run" || { cat "$WORK/run.log"; exit 1; }
trap - EXIT
exit "$failed"
