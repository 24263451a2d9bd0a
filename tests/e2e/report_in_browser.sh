# Opens reports in a real browser: every chart is drawn, the console stays silent, and nothing is asked of the network.
set -euo pipefail

if ! command -v chromium >/dev/null 2>&1; then
    echo "skipped: report_in_browser needs chromium; scripts/test-deps installs it"
    exit 0
fi

# The page after its script has run, on standard output; console messages and a log of the network beside it.
browse() { # FILE LOG NETLOG WIDTH [FLAG...]
    local file="$1" log="$2" netlog="$3" width="$4"
    shift 4
    local profile
    profile="$(mktemp -d -p "$WORK")"
    timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage \
        --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
        --host-resolver-rules="MAP * ~NOTFOUND" \
        --user-data-dir="$profile" --window-size="$width,2000" --virtual-time-budget=20000 \
        --enable-logging=stderr --v=0 --log-net-log="$netlog" "$@" --dump-dom "file://$file" 2>"$log"
    rm -rf "$profile"
}

check() { # FILE WIDTH [FLAG...]
    local file="$1" width="$2"
    shift 2
    local dom="$WORK/page.dom" log="$WORK/console.log" netlog="$WORK/net.json"
    browse "$file" "$log" "$netlog" "$width" "$@" >"$dom"
    local wanted drawn
    wanted="$(grep -o 'class="chart[ "]' "$file" | wc -l)"
    # Plotly marks a chart that it has drawn with this class, and draws into an svg of that one.
    drawn="$(grep -o 'class="chart js-plotly-plot"' "$dom" | wc -l)"
    if [ "$wanted" -eq 0 ] || [ "$drawn" -ne "$wanted" ] || ! grep -q 'class="main-svg"' "$dom"; then
        echo "$(basename "$file"): $drawn of $wanted charts drawn"
        return 1
    fi
    if grep -E 'INFO:CONSOLE|ERROR:CONSOLE|Content Security Policy' "$log"; then
        echo "$(basename "$file"): the console is not silent"
        return 1
    fi
    # What the browser asks its own maker for (updates, time, accounts) is not the page's doing; the page's policy forbids it
    # every request, and a refused one would have shown on the console above.
    if grep -oE '"url":"(https?|wss?|ftp)://[^"]*"' "$netlog" | grep -vE '//([a-z0-9-]+\.)*(google|googleapis|gstatic|gvt1)\.com[/:]'; then
        echo "$(basename "$file"): it asked the network for something"
        return 1
    fi
    echo "$(basename "$file"): $drawn charts drawn at $width pixels, console silent, no request"
}

"$FORESAIL" demo --offline --quick --output "$WORK/demo" >"$WORK/demo.txt"
load=("$WORK/demo/load.csv" --value requests)
"$FORESAIL" simulate "${load[@]}" --capacity-rps 100 --scale-peak 2000 --train-days 3 --policies foresail,hpa,keda,oracle \
    --sweep --report "$WORK/simulate.html" >/dev/null 2>&1
"$FORESAIL" forecast "${load[@]}" --model level_shape --horizon 6h --report "$WORK/forecast.html" >/dev/null 2>&1
"$FORESAIL" backtest "${load[@]}" --models level_shape,seasonal_naive --horizon 1h --report "$WORK/backtest.html" >/dev/null 2>&1
for report in "$WORK/demo/report.html" "$WORK"/{simulate,forecast,backtest}.html; do
    check "$report" 1280
    check "$report" 500 # the narrowest that a headless browser lays out
done
check "$WORK/demo/report.html" 1280 --blink-settings=preferredColorScheme=0 # dark

# A hostile name of a column is text, wherever it shows.
hostile='<img src=x onerror=console.error(1)>'
{
    echo "timestamp,$hostile"
    for minute in $(seq -w 0 59); do echo "2026-03-01T00:$minute:00Z,$((10#$minute % 7 + 1))"; done
} >"$WORK/hostile.csv"
"$FORESAIL" forecast "$WORK/hostile.csv" --value "$hostile" --model last_value --horizon 5m --report "$WORK/hostile.html" >/dev/null 2>&1
check "$WORK/hostile.html" 1280
