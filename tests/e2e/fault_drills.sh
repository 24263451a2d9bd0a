# Fault drills: copies crash, hang, turn slow and flap, the disk fills up, the clock jumps, and `foresail run` itself is
# killed at random points (5, or 50 with E2E_FULL=1), all under a steady load of real clients. See fault_drills.py.
set -euo pipefail

if ! command -v python3 >/dev/null 2>&1; then
    echo "skipped: fault_drills needs python3"
    exit 0
fi
source="${BASH_SOURCE[0]%.sh}.py"
data="$WORK/data"
mkdir "$data"
# A small disk of its own, to be filled to the brim.
if mount -t tmpfs -o size=16m none "$data" 2>/dev/null; then
    trap 'umount "$data"' EXIT
fi
python3 "$source" "$FORESAIL" "$WORK" "$data"
