# Twenty restarts under load: each time a new `foresail run --take-over` takes the data folder, the addresses and the copies
# of the one before. Every request is numbered: each must be answered, and reach the endpoint exactly once.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: proxy_restarts needs python3"
    exit 0
fi
python3 "$here/proxy_restarts.py" "$FORESAIL" "$WORK" "${RESTARTS:-20}"
