# `foresail run` as a user has it: requests through the proxy to copies of a command, killed without warning and started
# again, with nothing lost that was acknowledged and no copy left at the end.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

cat >"$WORK/foresail.toml" <<END
data = "data"

[server]
listen = "127.0.0.1:0"

[service.web]
mode = "act"
tick = "1s"
capacity_rps = 50.0
workers = 2
startup = "1s"
min = 3
max = 6

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]
workers = 1

[service.web.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--workers=2", "--service-time=5ms"]
folder = "$WORK/web"
initial = 3
END
"$FORESAIL" config check "$WORK/foresail.toml"

begin() {
    : >"$WORK/run.log" # what it says of the run before is not to be read
    "$FORESAIL" run --config "$WORK/foresail.toml" 2>"$WORK/run.log" &
    run=$!
    front="$(said "$WORK/run.log" 'web: listening on ' "$run")"
}
trap 'kill -9 "$run" 2>/dev/null || true; pkill -f "^$FORESAIL sample-service.*service-time=5ms" || true' EXIT

# The status line of one request through the proxy.
status() {
    ask "$front" GET / | head -1
}
answers() { # HOW MANY
    local good=0
    for _ in $(seq "$1"); do
        case "$(status)" in *" 200 "*) good=$((good + 1)) ;; esac
    done
    [ "$good" -eq "$1" ] || { echo "$good of $1 answered"; exit 1; }
}
# How many copies are asked for, as the API has it.
asked() {
    local api
    api="$(said "$WORK/run.log" 'dashboard and API: ' "$run")"
    api="${api#http://}"
    desired "$api"
}
copies() { pgrep -f "^$FORESAIL sample-service.*service-time=5ms" | sort | tr '\n' ' '; }

begin
for _ in $(seq 100); do case "$(status)" in *" 200 "*) break ;; esac; sleep 0.1; done
answers 50
before="$(copies)"
for round in 1 2 3 4 5; do
    sleep "0.$((RANDOM % 9 + 1))"
    kill -9 "$run"
    wait "$run" 2>/dev/null || true
    begin
    for _ in $(seq 100); do case "$(status)" in *" 200 "*) break ;; esac; sleep 0.1; done
    answers 20
done
# Copies may have been ordered meanwhile. None may have been replaced, and there may be no more than are asked for.
for _ in $(seq 100); do
    after="$(copies)"
    [ "$(wc -w <<<"$after")" != "$(asked)" ] || break
    sleep 0.1
done
[ "$(wc -w <<<"$after")" = "$(asked)" ] || { echo "copies $after, asked for are $(asked)"; exit 1; }
for copy in $before; do
    case " $after " in *" $copy "*) ;; *) echo "copies were not adopted: $before, then $after"; exit 1 ;; esac
done
sleep 2
kill -TERM "$run"
wait "$run" || { cat "$WORK/run.log"; exit 1; }
trap - EXIT
[ -z "$(copies)" ] || { echo "copies are left: $(copies)"; exit 1; }
decisions="$(grep -c '"entry":"decided"' "$WORK/data/web.journal.jsonl")"
"$FORESAIL" explain "$WORK/data/web.journal.jsonl" "$decisions" >"$WORK/explained"
grep -q 'replicas' "$WORK/explained"
echo "killed 5 times: the same copies served on, $decisions decisions in one chain"
