# What is known ahead: a calendar's event brings copies while no load does, a calendar that is wrong or away takes nothing
# back, one that is withdrawn does, and a feed over HTTP counts like a file.
set -euo pipefail
if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: known_events needs python3; scripts/test-deps installs it"
    exit 0
fi
source "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

mkdir "$WORK/feeds"
python3 -u -m http.server --bind 127.0.0.1 --directory "$WORK/feeds" 0 >"$WORK/feeds.log" 2>"$WORK/asked.log" &
feeds=$!
run=""
trap '{ kill -9 $feeds $run && wait; } 2>/dev/null || true; pkill -f "^$FORESAIL sample-service.*service-time=6ms" || true' EXIT
feed="$(said "$WORK/feeds.log" 'Serving HTTP on [^(]*(' "$feeds")"
feed="${feed%%)*}"

# Written beside and moved, so that no half of it is read.
put() { cat >"$1.new" && mv "$1.new" "$1"; }
hour() { date -u -d "$1" +%Y%m%dT%H%M%SZ; }
match() { # FLOOR
    printf 'BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:match\r\nSUMMARY:match\r\n'
    printf 'DTSTART:%s\r\nDTEND:%s\r\nX-FORESAIL-FLOOR:%s\r\n' "$(hour '-1 minute')" "$(hour '+1 hour')" "$1"
    printf 'END:VEVENT\r\nEND:VCALENDAR\r\n'
}
sale() { # FROM TO FLOOR
    printf 'from,to,label,floor\n%s,%s,sale,%s\n' "$@"
}
no_sale() { echo "from,to,label,floor"; }

no_sale | put "$WORK/sales.csv"
match 2 | put "$WORK/feeds/matches.ics"
cat >"$WORK/foresail.toml" <<END
data = "data"
[server]
listen = "127.0.0.1:0"
[service.web]
mode = "act"
tick = "1s"
capacity_rps = 50.0
startup = "1s"
min = 1
max = 6
[service.web.guardrails]
down_hold = "2s"
[service.web.known]
calendars = ["sales.csv", "${feed}matches.ics"]
every = "1s"
[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]
workers = 1
[service.web.process]
command = ["$FORESAIL", "sample-service", "--port={port}", "--id={id}", "--workers=2", "--service-time=6ms"]
folder = "$WORK/copies"
END
"$FORESAIL" config check "$WORK/foresail.toml"
"$FORESAIL" run --config "$WORK/foresail.toml" 2>"$WORK/run.log" &
run=$!
api="$(said "$WORK/run.log" 'dashboard and API: http://' "$run")"

copies() { pgrep -cf "^$FORESAIL sample-service.*service-time=6ms" || true; }
reaches() { # COPIES WHY
    for _ in $(seq 300); do
        if [ "$(desired "$api")" = "$1" ] && [ "$(copies)" = "$1" ]; then return; fi
        sleep 0.1
    done
    echo "$2: $(desired "$api") copies are asked for and $(copies) run, not $1"
    tail -n 5 "$WORK/run.log" "$WORK/data/web.journal.jsonl"
    exit 1
}
# PATTERN: until the log says it.
tells() {
    for _ in $(seq 300); do
        if grep -q "$1" "$WORK/run.log"; then return; fi
        sleep 0.1
    done
    echo "the log does not say \"$1\""
    cat "$WORK/run.log"
    exit 1
}

reaches 2 "the match that a feed announces"
sale "$(hour '-1 minute')" "$(hour '+1 hour')" 4 | put "$WORK/sales.csv"
reaches 4 "the sale that a file announces"
decisions="$(grep -c '"entry":"decided"' "$WORK/data/web.journal.jsonl")"
"$FORESAIL" explain "$WORK/data/web.journal.jsonl" "$decisions" | tee "$WORK/explained" | grep -q 'event' ||
    { echo "the decision names no event"; cat "$WORK/explained"; exit 1; }

# Wrong, and away: what was read stays.
sale soon later 5 | put "$WORK/sales.csv"
mv "$WORK/feeds/matches.ics" "$WORK/kept.ics"
tells 'what was read before stays known: .*sales.csv, line 2, column "from"'
tells 'what was read before stays known: .*matches.ics'
reaches 4 "what was read of a calendar that is now wrong"

# Withdrawn, and changed.
no_sale | put "$WORK/sales.csv"
reaches 2 "a match whose feed is away"
match 3 | put "$WORK/feeds/matches.ics"
reaches 3 "a match that draws more"
kill -TERM "$run"
wait "$run"
[ "$(copies)" = 0 ] || { echo "copies are left"; exit 1; }
echo "events of a file and of a feed brought copies, outlived a wrong file and an absent feed, and went when withdrawn"
