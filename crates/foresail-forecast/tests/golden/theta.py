"""Writes theta.json: what statsforecast 2.1.1's theta models say of a few series.

    pip install statsforecast==2.1.1 && python theta.py > theta.json

For every model: the parameters its search found, the squared error there, and the forecast. `plain` takes the series
without its season and, for the parameters found on all but the last EXTRA rows, what `forward_theta` forecasts after
all of them: what an incremental update has to equal.
"""

import json
import sys

import numpy as np
from statsforecast.theta import auto_theta, forecast_theta, forward_theta
from statsforecast.utils import AirPassengers

MODELS = ["STM", "OTM", "DSTM", "DOTM"]
EXTRA = 5


def series():
    rng = np.random.default_rng(20261122)
    t = np.arange(400)
    yield "airline", 12, AirPassengers[:132]
    quarters = np.array([12.0, -4.0, -9.0, 1.0])
    yield "quarterly", 4, -6 + 0.4 * t[:60] + quarters[t[:60] % 4] + rng.normal(0, 2, 60)
    week = np.array([1.1, 1.2, 1.15, 1.1, 1.05, 0.7, 0.7])
    yield "noisy daily", 7, (200 + np.cumsum(rng.normal(0.2, 4, 400))) * week[t % 7] + rng.normal(0, 15, 400)
    yield "intermittent", 7, np.where(rng.random(120) < 0.35, rng.poisson(6, 120), 0).astype(float)
    yield "short", 1, np.array([21.0, 24.5, 22.0, 27.0, 26.0, 30.5, 29.0, 33.0, 31.0])


def fitted(y, m, model, horizon):
    fit = auto_theta(y, m, model=model)
    par = fit["par"]
    return {
        "model": model,
        "start": float(par["initial_smoothed"]),
        "alpha": float(par["alpha"]),
        "theta": float(par["theta"]),
        "mse": float(fit["mse"]),
        "season": fit.get("decomposition_type", "none") if fit.get("decompose") else "none",
        "mean": [float(v) for v in forecast_theta(fit, horizon)["mean"]],
    }, fit


out = []
for name, m, y in series():
    y = np.round(np.asarray(y, dtype=float), 6)
    horizon = max(2 * m, 6)
    models, plain = [], []
    for model in MODELS:
        models.append(fitted(y, m, model, horizon)[0])
        row, fit = fitted(y[:-EXTRA], 1, model, horizon) if len(y) > 12 else (None, None)
        if row:
            after = forecast_theta(forward_theta(fit, y), horizon)["mean"]
            plain.append({**row, "after": [float(v) for v in after]})
    auto = forecast_theta(auto_theta(y, m), horizon)["mean"]
    out.append({
        "name": name, "season_rows": m, "extra": EXTRA, "values": [float(v) for v in y],
        "models": models, "plain": plain, "auto": [float(v) for v in auto],
        "chosen": auto_theta(y, m)["modeltype"],
    })
json.dump(out, sys.stdout, indent=None, separators=(",", ":"))
print()
