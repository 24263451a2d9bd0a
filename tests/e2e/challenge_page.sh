# The guard's challenge in a real browser: the page solves its puzzle by itself, under its own policy, and is let in.
set -euo pipefail

if ! command -v chromium >/dev/null 2>&1; then
    echo "skipped: challenge_page needs chromium; scripts/test-deps installs it"
    exit 0
fi
source "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
(cd "$root" && cargo build --quiet --locked -p foresail-proxy --example guarded_site)

mkfifo "$WORK/end"
"${CARGO_TARGET_DIR:-$root/target}/debug/examples/guarded_site" <"$WORK/end" >"$WORK/site.log" 2>&1 &
site=$!
exec 7>"$WORK/end"
address="$(said "$WORK/site.log" "listening on " "$site")"

timeout 120 chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage \
    --disable-background-networking --disable-component-update --disable-sync --disable-default-apps \
    --user-data-dir="$WORK/profile" --virtual-time-budget=30000 --enable-logging=stderr --v=0 \
    --dump-dom "$address/shop?item=7" >"$WORK/page.dom" 2>"$WORK/console.log"
exec 7>&-
wait "$site"
if ! grep -q '<h1>Let in</h1>' "$WORK/page.dom" || grep -q 'Content Security Policy' "$WORK/console.log"; then
    cat "$WORK/page.dom" "$WORK/site.log"
    grep CONSOLE "$WORK/console.log" || true
    exit 1
fi
grep -q '"challenged":[1-9]' "$WORK/site.log" || { echo "nobody was challenged"; exit 1; }
echo "a browser was challenged, solved the puzzle and was let in"
