# The API of a `foresail run` with tokens: asked by strangers and by a reader, then fuzzed by its own document (E2E_FULL=1:
# for minutes).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/lib.bash"
bin="${XDG_CACHE_HOME:-$HOME/.cache}/foresail/e2e/venv/bin"

if [ ! -x "$bin/schemathesis" ]; then
    echo "skipped: api_fuzz needs schemathesis; scripts/test-deps installs it"
    exit 0
fi

reader=read-0123456789abcdef
operator=operate-0123456789abcdef
cat >"$WORK/foresail.toml" <<END
data = "data"

[server]
listen = "127.0.0.1:0"
tokens = [{ name = "eyes", role = "read", token = "$reader" }, { name = "ops", role = "operate", token = "$operator" }]

[service.web]
tick = "1s"
capacity_rps = 50.0
startup = "1s"
min = 1
max = 3

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]
workers = 1

[service.web.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--service-time=3ms"]
folder = "$WORK/web"
initial = 1
END

"$FORESAIL" run --config "$WORK/foresail.toml" 2>"$WORK/run.log" &
run=$!
trap 'kill "$run" 2>/dev/null || true; wait' EXIT
url="$(said "$WORK/run.log" 'dashboard and API: ' "$run")"

"$bin/python" "$here/api_roles.py" "$url" "$reader" "$operator"

if [ "${E2E_FULL:-0}" = 1 ]; then examples=300 seconds=900; else examples=25 seconds=120; fi
# The event stream never ends; tests of foresail-server read it.
if ! timeout "$seconds" "$bin/schemathesis" --config-file "$here/schemathesis.toml" run "$url/api/v1/openapi.json" \
    --header "Authorization: Bearer $operator" --exclude-path /api/v1/events --max-examples "$examples" \
    --no-color >"$WORK/fuzz.log" 2>&1; then
    cat "$WORK/fuzz.log"
    exit 1
fi
sed -n 's/^ *\([0-9].* generated\)/fuzzed: \1/p' "$WORK/fuzz.log"

"$bin/python" "$here/api_roles.py" "$url" "$reader" "$operator" >/dev/null
if grep -q panicked "$WORK/run.log"; then
    cat "$WORK/run.log"
    exit 1
fi
kill -TERM "$run"
wait "$run" || { cat "$WORK/run.log"; exit 1; }
trap - EXIT
