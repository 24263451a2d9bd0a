"""Writes ets.json: what statsforecast 2.1.1's exponential smoothing says of a few series, and of 40 of M4's hourly ones.

    pip install statsforecast==2.1.1 && OMP_NUM_THREADS=1 python ets.py TRACES > ets.json

TRACES is the folder that holds m4_hourly_train.csv.gz and m4_hourly_test.csv.gz. `replay` has, for all thirty forms on
short series, the parameters its search found, the likelihood and the forecasts there, and the intervals where it gives
them in closed form. `m4` has every tenth series: for each form the log-likelihood and the forecast at some leads, and for
the automatic choice the form, the criterion, the scaled error and the CPU seconds of the fit; the series themselves are
not copied.
"""

import csv
import gzip
import itertools
import json
import sys
import time
import warnings

import numpy as np
from statsforecast.ets import ets_f, forecast_ets
from statsforecast.utils import AirPassengers

warnings.filterwarnings("ignore")
LEADS = [1, 2, 12, 24, 25, 48]
FORMS = list(itertools.product("AM", [("N", False), ("A", False), ("A", True), ("M", False), ("M", True)], "NAM"))


def name(error, trend, season):
    return error + trend[0] + ("d" if trend[1] else "") + season


def fit(y, m, error, trend, season):
    """One form, forbidden or not; None where theirs fails."""
    try:
        model = ets_f(y, m=m, model=error + trend[0] + season, damped=trend[1], restrict=False,
                      allow_multiplicative_trend=True)
        mean = forecast_ets(model, 48)["mean"]
        return (model, mean) if np.isfinite(model["loglik"]) and np.isfinite(mean).all() else None
    except Exception:
        return None


def short(values, digits=10):
    return [None if np.isnan(v) else float(f"{v:.{digits}g}") for v in np.asarray(values, dtype=float)]


def replay():
    rng = np.random.default_rng(20261122)
    t = np.arange(400)
    quarters = np.array([1.2, 0.95, 0.7, 1.15])
    yield "airline", 12, AirPassengers[:132]
    yield "quarterly", 4, (30 + 0.4 * t[:60]) * quarters[t[:60] % 4] + rng.normal(0, 2, 60)


def replayed():
    for label, m, y in replay():
        y = np.round(np.asarray(y, dtype=float), 6)
        forms = []
        for error, trend, season in FORMS:
            found = fit(y, m, error, trend, season)
            if not found:
                continue
            model, mean = found
            row = {"form": name(error, trend, season), "par": short(model["par"]), "log_likelihood": model["loglik"],
                   "aicc": model["aicc"], "sigma2": model["sigma2"], "mean": short(mean[:2 * m])}
            closed = error == "A" and trend[0] != "M" and season != "M"
            if closed or (error == "M" and trend[0] != "M" and season == "N"):
                # Of one season: beyond it, theirs takes the number of whole seasons in the horizon for that in each step.
                ahead = forecast_ets(model, m, level=[95])
                row["half"] = short((ahead["hi-95"] - ahead["lo-95"]) / 2)
            forms.append(row)
        yield {"name": label, "season_rows": m, "values": [float(v) for v in y], "forms": forms}


def wide(path):
    with gzip.open(path, "rt") as file:
        return [[float(cell) for cell in row[1:] if cell] for row in itertools.islice(csv.reader(file), 1, None)]


def m4(folder):
    train, test = wide(f"{folder}/m4_hourly_train.csv.gz"), wide(f"{folder}/m4_hourly_test.csv.gz")
    ets_f(np.array(train[0][:200]), m=24, model="ZZZ")
    for index in range(0, 400, 10):
        y, actual = np.array(train[index]), np.array(test[index])
        forms = {}
        for error, trend, season in FORMS:
            found = fit(y, 24, error, trend, season)
            if found:
                model, mean = found
                forms[name(error, trend, season)] = [round(model["loglik"], 4), *short(mean[[h - 1 for h in LEADS]], 6)]
        started = time.process_time()
        model = ets_f(y, m=24, model="ZZZ")
        mean = forecast_ets(model, 48)["mean"]
        seconds = time.process_time() - started
        unit = np.mean(np.abs(y[24:] - y[:-24]))
        components = model["components"]
        chosen = components[:2] + ("d" if components[3] == "D" else "") + components[2]
        yield {"index": index, "forms": forms, "chosen": chosen, "aicc": round(model["aicc"], 4),
               "mase": round(float(np.mean(np.abs(mean - actual)) / unit), 6), "seconds": round(seconds, 4)}


if __name__ == "__main__":
    out = {"leads": LEADS, "replay": list(replayed()), "m4": list(m4(sys.argv[1]))}
    json.dump(out, sys.stdout, indent=None, separators=(",", ":"))
    print()
