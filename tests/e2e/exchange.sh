# Two runs in front of the same endpoints tell one another what they learn; picks are written down and compared.
set -euo pipefail
if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: exchange needs python3; scripts/test-deps installs it"
    exit 0
fi
python3 "$(dirname "${BASH_SOURCE[0]}")/exchange.py" "$FORESAIL" "$WORK"
