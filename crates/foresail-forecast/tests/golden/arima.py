"""Writes arima.json: what statsforecast 2.1.1's ARIMA says of 40 hourly series of the M4 competition.

    pip install statsforecast==2.1.1
    OMP_NUM_THREADS=1 python arima.py m4_hourly_train.csv.gz > arima.json

Takes about an hour, nearly all of it for `auto`. Series are those with the numbers 0, 10, 20, ... 390 of the file; the
values stay there, only results are written. `fixed`: models of given orders by conditional squares, then maximum
likelihood (its default): log likelihood, error variance, the next 24 rows and, at some of them, the standard error; or
why there are none. `auto`: AutoARIMA as it comes, with a season of 24: the orders it chose, its criterion, the next
48 rows and the seconds of processor time it took.

With numbers after the file name only those series are done, so that the work can be shared out; a number with `f` behind
it is done without `auto`.
"""

import csv
import gzip
import json
import sys
import time
import warnings

import numpy as np
from statsforecast.arima import Arima, auto_arima_f, forecast_arima

SEASON = 24
# (p, d, q), (P, D, Q), mean or drift
FORMS = [
    ((1, 0, 1), (0, 0, 0), True),
    ((3, 1, 2), (0, 0, 0), False),
    ((0, 1, 1), (0, 1, 1), False),
    ((1, 0, 0), (0, 1, 1), True),
    ((2, 0, 1), (1, 0, 1), True),
    ((1, 1, 1), (1, 0, 1), False),
    ((2, 0, 0), (1, 1, 0), False),
]
ERRORS_AT = [1, 2, 12, 24]


def series(path):
    with gzip.open(path, "rt") as file:
        rows = csv.reader(file)
        next(rows)
        return [np.array([float(cell) for cell in row[1:] if cell]) for row in rows]


def short(values):
    return [float(f"{v:.7g}") for v in values]


def ahead(fit, horizon):
    forecast = forecast_arima(fit, h=horizon, level=[68.0])
    half = (forecast["upper"].to_numpy()[:, 0] - forecast["mean"]) / 0.994457883209753
    return forecast["mean"], half


def orders(p, d, q, P, D, Q, constant):
    return [int(p), int(d), int(q), int(P), int(D), int(Q), int(constant)]


def fixed(y):
    for order, seasonal, constant in FORMS:
        differences = order[1] + seasonal[1]
        try:
            fit = Arima(
                y,
                order=order,
                seasonal={"order": seasonal, "period": SEASON},
                include_mean=constant and differences == 0,
                include_drift=constant and differences == 1,
                method="CSS-ML",
            )
        except ValueError as error:
            yield {"orders": orders(*order, *seasonal, constant), "refused": str(error)}
            continue
        mean, errors = ahead(fit, 24)
        if not np.isfinite([fit["loglik"], *mean]).all():
            yield {"orders": orders(*order, *seasonal, constant), "refused": "not a number"}
            continue
        yield {
            "orders": orders(*order, *seasonal, constant),
            "coefficients": short(fit["coef"].values()),
            "log_likelihood": round(float(fit["loglik"]), 6),
            "aicc": round(float(fit["aicc"]), 6),
            "variance": float(f"{fit['sigma2']:.7g}"),
            "mean": short(mean),
            "errors": short(errors[h - 1] for h in ERRORS_AT if np.isfinite(errors[h - 1])),
        }


def auto(y):
    began = time.process_time()
    fit = auto_arima_f(y, period=SEASON, approximation=False)
    mean = forecast_arima(fit, h=48)["mean"]
    took = time.process_time() - began
    p, q, P, Q, _, d, D = fit["arma"]
    constant = any(name in fit["coef"] for name in ("intercept", "drift"))
    return {
        "orders": orders(p, d, q, P, D, Q, constant),
        "log_likelihood": round(float(fit["loglik"]), 6),
        "aicc": round(float(fit["aicc"]), 6),
        "cpu_s": round(took, 3),
        "mean": short(mean),
    }


def main():
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    data = series(sys.argv[1])
    out = []
    for word in sys.argv[2:] or map(str, range(0, 400, 10)):
        number = int(word.rstrip("f"))
        row = {"series": number, "fixed": list(fixed(data[number]))}
        if not word.endswith("f"):
            row["auto"] = auto(data[number])
        out.append(row)
    json.dump(out, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
