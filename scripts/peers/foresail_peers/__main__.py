"""python -m foresail_peers WINDOWS OUT: see ../peers."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

import numpy as np

from . import boosting
from .local import LOCAL, of
from .windows import Windows, naive

CAP_S = 60.0
MODELS = [*LOCAL, "LightGBM"]
# Prophet is there for the suite of speed; on thousands of windows it takes hours.
USUAL = [name for name in MODELS if name != "Prophet"]


class TooSlow(Exception):
    pass


def stop(_signal, _frame):
    raise TooSlow


def one(model, history: np.ndarray, windows: Windows) -> tuple[np.ndarray, bool]:
    """The quantiles of a window, and whether they are the naive forecast because the model failed or took too long."""
    signal.setitimer(signal.ITIMER_PROF, CAP_S)
    try:
        found = model(history, windows)
    except Exception:  # whatever a library raises, the window must be answered
        found = None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if found is None or found.shape != (windows.horizon, len(windows.levels)) or not np.isfinite(found).all():
        return naive(history, windows), True
    return np.sort(found, axis=1), False


def spread(count: int, share: float) -> list[int]:
    """That share of `count` windows, at least one, evenly over all of them; of a larger share a smaller one is a part."""
    by_golden_ratio = sorted(range(count), key=lambda index: (index + 1) * 0.6180339887498949 % 1)
    return by_golden_ratio[: max(1, round(share * count))]


def local(name: str, windows: Windows, kept: Path, share: float, deadline: float) -> dict | None:
    """Forecasts a share of the windows one by one, keeping each; none if time ran out."""
    model = LOCAL[name][0]
    done = {}
    if kept.exists():
        # A last line cut short by a kill is dropped.
        lines = [line for line in kept.read_text().splitlines(keepends=True) if line.endswith("\n")]
        done = {entry["index"]: entry for entry in map(json.loads, lines)}
        kept.write_text("".join(lines))
    places = list(windows.places())
    wanted = spread(len(places), share)
    if any(index not in done for index in wanted):
        # What is compiled at first use is not the model's time.
        index, number, origin = places[0]
        one(model, windows.series[number][max(origin - 3 * windows.season, 0) : origin], windows)
    with kept.open("a") as out:
        for index, number, origin in (places[index] for index in wanted if index not in done):
            if time.monotonic() > deadline:
                return None
            began = time.process_time()
            quantiles, fallback = one(model, windows.series[number][:origin], windows)
            entry = {
                "index": index,
                "cpu_s": time.process_time() - began,
                "fallback": fallback,
                "quantiles": quantiles.tolist(),
            }
            out.write(json.dumps(entry) + "\n")
            out.flush()
            done[index] = entry
    # What was done before is there, asked for or not.
    entries = [done.get(index) for index, _, _ in places]
    answered = [entry for entry in entries if entry]
    return {
        "cpu_s": sum(entry["cpu_s"] for entry in answered),
        "fallbacks": sum(entry["fallback"] for entry in answered),
        "quantiles": [entry and entry["quantiles"] for entry in entries],
    }


def boosted(windows: Windows) -> dict:
    began = time.process_time()
    quantiles = boosting.forecast(windows)
    return {"cpu_s": time.process_time() - began, "fallbacks": 0, "quantiles": [found.tolist() for found in quantiles]}


def is_done(target: Path, share: float) -> bool:
    """Whether at least that share of the windows was written before."""
    if not target.exists():
        return False
    [found] = json.loads(target.read_text())["sets"].values()
    answered = sum(quantiles is not None for quantiles in found["quantiles"])
    return answered >= max(1, round(share * len(found["quantiles"])))


def main() -> int:
    parser = argparse.ArgumentParser(prog="peers", description=__doc__)
    parser.add_argument("windows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--models", default=",".join(USUAL), help="comma-separated: " + ", ".join(MODELS))
    parser.add_argument("--sets", default="", help="comma-separated names of sets; all if none")
    parser.add_argument("--share", type=float, default=1.0, help="of each set's windows, spread evenly, above 0 to 1")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end after so long; run again to go on")
    args = parser.parse_args()
    models = [name for name in args.models.split(",") if name]
    if unknown := [name for name in models if name not in MODELS]:
        parser.error(f"--models names {unknown[0]!r}; accepted are {', '.join(MODELS)}")
    if not 0 < args.share <= 1:
        parser.error(f"--share is {args.share}; accepted is above 0 to 1")
    signal.signal(signal.SIGPROF, stop)
    deadline = time.monotonic() + 60 * args.minutes
    args.out.mkdir(parents=True, exist_ok=True)
    sets = [Windows.read(path) for path in sorted(args.windows.glob("*.json"))]
    sets = [found for found in sets if not args.sets or found.name in args.sets.split(",")]
    for name in models:
        for windows in sets:
            stem = f"{name}__{windows.name.replace('/', '_')}"
            target = args.out / f"{stem}.json"
            if is_done(target, args.share):
                continue
            if time.monotonic() > deadline:
                print(f"peers: time is up before {stem}", file=sys.stderr)
                return 3
            if name == "LightGBM":
                found = boosted(windows)
            else:
                found = local(name, windows, args.out / f"{stem}.part", args.share, deadline)
            if found is None:
                print(f"peers: time is up within {stem}", file=sys.stderr)
                return 3
            library, note = ("lightgbm", boosting.NOTE) if name == "LightGBM" else LOCAL[name][1:]
            document = {"model": name, "library": of(library), "note": note, "sets": {windows.name: found}}
            part = target.with_suffix(".tmp")
            part.write_text(json.dumps(document))
            part.replace(target)
            print(f"peers: {stem}: {found['cpu_s']:.1f} CPU s, {found['fallbacks']} fallbacks", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
