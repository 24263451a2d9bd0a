"""Writes stl.json: what statsforecast 2.1.1's MSTL says of a few series, and of 40 of M4's hourly ones.

    pip install statsforecast==2.1.1 && OMP_NUM_THREADS=1 python stl.py TRACES > stl.json

TRACES is the folder that holds m4_hourly_train.csv.gz and m4_hourly_test.csv.gz. `parts` has the decomposition of short
series at every seventh row. `m4` has, for every tenth series, the scaled error of 48 hours with seasons of a day and a
week, and the CPU seconds of a fit; the series themselves are not copied.
"""

import csv
import gzip
import itertools
import json
import sys
import time
import warnings

import numpy as np
from statsforecast.models import MSTL, AutoETS
from statsforecast.mstl import mstl
from statsforecast.utils import AirPassengers

warnings.filterwarnings("ignore")
EVERY = 7


def short(values):
    return [float(f"{v:.12g}") for v in np.asarray(values, dtype=float)[::EVERY]]


def series():
    rng = np.random.default_rng(20261122)
    t = np.arange(500)
    yield "airline", [12], AirPassengers.astype(float)
    yield "two seasons", [6, 42], 10 + 0.01 * t + 3 * np.sin(t / 6 * 2 * np.pi) + 2 * (t // 6 % 7 > 4) + rng.normal(0, 0.5, 500)
    yield "barely twice", [24, 60], 5 * np.sin(t[:130] / 24 * 2 * np.pi) + rng.normal(0, 1, 130)


def parts():
    for name, lengths, y in series():
        y = np.round(y, 6)
        found = mstl(y, lengths)
        seasons = ["seasonal"] if len(lengths) == 1 else [f"seasonal{length}" for length in lengths]
        yield {"name": name, "lengths": lengths, "every": EVERY, "values": [float(v) for v in y],
               "trend": short(found["trend"]), "seasons": [short(found[season]) for season in seasons]}


def wide(path):
    with gzip.open(path, "rt") as file:
        return [[float(cell) for cell in row[1:] if cell] for row in itertools.islice(csv.reader(file), 1, None)]


def m4(folder):
    train, test = wide(f"{folder}/m4_hourly_train.csv.gz"), wide(f"{folder}/m4_hourly_test.csv.gz")
    model = MSTL([24, 168], trend_forecaster=AutoETS(model="ZZN"))
    model.forecast(np.array(train[0]), 48)
    for index in range(0, 400, 10):
        y, actual = np.array(train[index]), np.array(test[index])
        started = time.process_time()
        mean = model.forecast(y, 48)["mean"]
        seconds = time.process_time() - started
        unit = np.mean(np.abs(y[24:] - y[:-24]))
        yield {"index": index, "mase": round(float(np.mean(np.abs(mean - actual)) / unit), 6), "seconds": round(seconds, 5)}


if __name__ == "__main__":
    json.dump({"parts": list(parts()), "m4": list(m4(sys.argv[1]))}, sys.stdout, separators=(",", ":"))
    print()
