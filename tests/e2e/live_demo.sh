# The live demonstration for real: copies of the sample service, the proxy, the load, the loop and its API; and nothing is
# left behind. How late requests are is printed, not judged: other work on the machine decides it as well. Its dashboard is
# what dashboard.sh is about.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

out="$WORK/live"
touch "$WORK/demo.log" # it is read before the shell behind the next line may have made it
"$FORESAIL" demo --fast --seed 1 --output "$out" --listen 127.0.0.1:0 --json >"$WORK/summary.json" 2>"$WORK/demo.log" &
demo=$!
trap 'kill "$demo" 2>/dev/null || true' EXIT

url=""
for _ in $(seq 300); do
    url="$(sed -n 's/^dashboard: //p' "$WORK/demo.log")"
    [ -n "$url" ] && break
    kill -0 "$demo" || { cat "$WORK/demo.log"; exit 1; }
    sleep 0.1
done
[ -n "$url" ] || { echo "no dashboard within 30 s"; exit 1; }
address="${url#http://}"
address="${address%/}"

expect() { # TEXT ANSWER
    grep -q "$1" <<<"$2" || { echo "expected $1, got: $(head -c 600 <<<"$2")"; exit 1; }
}

sleep 8 # let it decide for a while
expect '200 OK' "$(ask "$address" GET /healthz)"
expect '200 OK' "$(ask "$address" GET /readyz)"
expect '"speed":60' "$(ask "$address" GET /api/v1/services/sample)"
expect 'foresail_load_rps{service="sample"}' "$(ask "$address" GET /metrics)"
expect '"desired"' "$(ask "$address" POST /decide '{"load_rps": 900}')"
expect '400 Bad Request' "$(ask "$address" POST /decide '{"load_rps": -1}')"
expect '"driver"' "$(ask "$address" GET '/decisions?limit=3')"
expect '200 OK' "$(ask "$address" POST /pause '{"seconds": 30}')"
expect '"kind":"pause"' "$(ask "$address" GET /api/v1/audit)"
expect '200 OK' "$(ask "$address" POST /resume '{}')"

wait "$demo" || { cat "$WORK/demo.log"; exit 1; }
trap - EXIT
grep -E '"(requests|late_percent|replica_seconds|peaks_ready|errors)"' "$WORK/summary.json"
expect '"policy": "foresail"' "$(cat "$WORK/summary.json")"
requests="$(sed -n 's/^  "requests": \([0-9]*\),/\1/p' "$WORK/summary.json")"
[ "$requests" -gt 20000 ] || { echo "only $requests requests"; exit 1; }
"$FORESAIL" explain "$out/journal.jsonl" 5 >/dev/null
if pgrep -f "sample-service.*$out" >/dev/null || pgrep -f "^$FORESAIL sample-service" >/dev/null; then
    echo "copies are left: $(pgrep -af "^$FORESAIL sample-service")"
    exit 1
fi
if (exec 3<>"/dev/tcp/${address%:*}/${address##*:}") 2>/dev/null; then
    echo "the dashboard's port is still open"
    exit 1
fi
