"""Writes prophet.json: what Prophet 1.5.0 (holidays 0.109) says of ten series with holidays.

    pip install prophet==1.5.0 holidays==0.109 && python prophet.py > prophet.json

For every series: values, holidays, the options in our words, Prophet's point forecast and 80 % interval, its noise, and
how improbable its parameters are: the negative logarithm of its own posterior density, of which smaller is better.

    python prophet.py --cpu

prints instead the seconds of processor time that Prophet takes for each, its child processes included (the mean of three):
fitting and a point forecast, and the same with the interval from 1000 samples.
"""

import json
import logging
import os
import sys

# This file's own name must not hide the library's.
sys.path.pop(0)

import numpy as np
import pandas as pd
from prophet import Prophet
from prophet.make_holidays import make_holidays_df

logging.getLogger("prophet").setLevel(logging.ERROR)
logging.getLogger("cmdstanpy").setLevel(logging.CRITICAL)

DAY = 86_400
RNG = np.random.default_rng(20261122)


def times(start, rows, step):
    return pd.Series(pd.date_range(start, periods=rows, freq=pd.Timedelta(seconds=step)))


def clock(ds):
    """Days since the epoch."""
    return ((ds - pd.Timestamp("1970-01-01")).dt.total_seconds() / DAY).to_numpy()


def holidays(country, ds):
    years = range(ds.iloc[0].year, ds.iloc[-1].year + 1)
    frame = make_holidays_df(list(years), country)
    return frame[["ds", "holiday"]].sort_values(["ds", "holiday"]).reset_index(drop=True)


def on_holiday(ds, frame):
    return ds.dt.normalize().isin(frame["ds"]).to_numpy()


def trend(rows, slopes):
    return np.cumsum(np.interp(np.arange(rows), np.linspace(0, rows, len(slopes)), slopes))


def wave(t, period, *terms):
    return sum(a * np.sin(2 * np.pi * (k * t / period + p)) for k, (a, p) in enumerate(terms, 1))


def daily(country, start, rows, horizon, level=1000, slopes=(0.2, 0.6, -0.3, 0.4), noise=20, dip=150):
    ds = times(start, rows + horizon, DAY)
    t, frame = clock(ds), holidays(country, ds)
    y = level + trend(len(ds), slopes) + wave(t, 365.25, (60, 0.1), (25, 0.4)) + wave(t, 7, (50, 0.2), (20, 0.6), (8, 0.1))
    return ds, y - dip * on_holiday(ds, frame) + RNG.normal(0, noise, len(ds)), frame


def hourly(country, start, rows, horizon, step=3600, level=500, dip=120, noise=12):
    ds = times(start, rows + horizon, step)
    t, frame = clock(ds), holidays(country, ds)
    y = level + 0.01 * trend(len(ds), (3, 8, -2)) * step / 3600
    y = y + wave(t, 1, (120, 0.7), (40, 0.3), (15, 0.9)) + wave(t, 7, (40, 0.4), (15, 0.2))
    return ds, y - dip * on_holiday(ds, frame) + RNG.normal(0, noise, len(ds)), frame


def series():
    yield "daily, United States", 28, *daily("US", "2022-01-01", 900, 28), {}, {}
    ds, y, frame = daily("DE", "2023-03-01", 800, 28)
    before = ds.dt.normalize().isin(frame["ds"] - pd.Timedelta(days=1)).to_numpy()
    after = ds.dt.normalize().isin(frame["ds"] + pd.Timedelta(days=1)).to_numpy()
    y = y + 60 * before - 40 * after
    yield "daily, Germany, days around holidays", 28, ds, y, frame, {"holiday_window": {"before": 1, "after": 1}}, {}
    ds, y, frame = daily("FR", "2022-06-01", 850, 28)
    y[:-28][RNG.random(len(y) - 28) < 0.12] = np.nan
    yield "daily, France, with gaps", 28, ds, y, frame, {}, {}
    yield "hourly, United Kingdom", 72, *hourly("GB", "2025-03-20", 24 * 75, 72), {}, {}
    ds, y, frame = hourly("IT", "2025-11-20", 24 * 60, 72)
    y = y * np.linspace(1, 2.2, len(y))
    yield "hourly, Italy, multiplicative", 72, ds, y, frame, {"mode": "multiplicative"}, {"seasonality_mode": "multiplicative"}
    ds, y, frame = daily("BR", "2023-01-01", 780, 28, level=0, slopes=(0, 0), noise=15, dip=120)
    y = y + 1500 / (1 + np.exp(-np.linspace(-3, 2.5, len(y))))
    yield "daily, Brazil, logistic", 28, ds, y, frame, {"growth": {"logistic": {"cap": 1800.0}}}, {"growth": "logistic"}
    ds = times("2021-01-04", 200, 7 * DAY)
    t, frame = clock(ds), holidays("JP", ds)
    frame["ds"] = frame["ds"] - pd.to_timedelta(frame["ds"].dt.weekday, unit="D")
    frame = frame.drop_duplicates(["ds", "holiday"]).reset_index(drop=True)
    y = 300 + trend(200, (0.5, 2, -1)) + wave(t, 365.25, (40, 0.2), (10, 0.7)) - 30 * on_holiday(ds, frame) + RNG.normal(0, 8, 200)
    yield "weekly, Japan", 16, ds, y, frame, {}, {}
    ds, y, frame = daily("CA", "2022-09-01", 820, 28)
    campaign = (RNG.random(len(ds)) < 0.1).astype(float)
    warmth = 12 + wave(clock(ds), 365.25, (9, 0.6)) + np.cumsum(RNG.normal(0, 0.3, len(ds)))
    y = y + 180 * campaign + 6 * warmth
    regressors = {"campaign": campaign, "warmth": warmth}
    yield "daily, Canada, two regressors", 28, ds, y, frame, {"regressors": [{"column": "campaign"}, {"column": "warmth"}]}, regressors
    ds, y, frame = hourly("IN", "2025-09-20", 24 * 45, 72)
    yield "hourly, India, flat", 72, ds, y, frame, {"growth": "flat"}, {"growth": "flat"}
    ds, y, frame = daily("AU", "2024-01-01", 500, 28)
    y = y + wave(clock(ds), 30.5, (45, 0.1), (20, 0.3))
    ours = {
        "changepoints": 10, "changepoint_range": 0.9, "changepoint_prior_scale": 0.3, "holidays_prior_scale": 0.5,
        "seasonalities": [{"cycle": {"period": {"secs": 2_635_200, "nanos": 0}}, "terms": 5, "prior_scale": 2.0}],
    }
    theirs = {"n_changepoints": 10, "changepoint_range": 0.9, "changepoint_prior_scale": 0.3, "holidays_prior_scale": 0.5}
    yield "daily, Australia, monthly season", 28, ds, y, frame, ours, theirs


def fit(name, horizon, ds, y, frame, ours, theirs, samples):
    window = ours.get("holiday_window", {"before": 0, "after": 0})
    frame = frame.assign(lower_window=-window["before"], upper_window=window["after"])
    regressors = theirs if "regressors" in ours else {}
    model = Prophet(holidays=frame, uncertainty_samples=samples, **({} if regressors else theirs))
    for column in regressors:
        model.add_regressor(column)
    for season in ours.get("seasonalities", []):
        days = season["cycle"]["period"]["secs"] / DAY
        model.add_seasonality("other", days, season["terms"], prior_scale=season["prior_scale"])
    data = pd.DataFrame({"ds": ds, "y": y, **regressors})
    if model.growth == "logistic":
        data["cap"] = ours["growth"]["logistic"]["cap"]
    model.fit(data[:-horizon])
    return model, model.predict(data[-horizon:].drop(columns="y"))


def surprise(model):
    """The negative logarithm of the posterior density at what was found, without constants."""
    p = {k: np.asarray(v)[0] for k, v in model.params.items() if k != "trend"}
    history = model.history
    features, scales, components, _ = model.make_all_seasonality_features(history)
    predicted = model.predict_trend(history)
    added = features.to_numpy() @ (p["beta"] * components["additive_terms"].to_numpy())
    factor = 1 + features.to_numpy() @ (p["beta"] * components["multiplicative_terms"].to_numpy())
    predicted = predicted.to_numpy() / model.y_scale * factor + added
    sigma = float(np.ravel(p["sigma_obs"])[0])
    squared = float(((history["y_scaled"] - predicted) ** 2).sum())
    value = len(history) * np.log(sigma) + squared / (2 * sigma**2) + 2 * sigma**2
    value += np.abs(p["delta"]).sum() / model.changepoint_prior_scale
    value += (float(np.ravel(p["k"])[0]) ** 2 + float(np.ravel(p["m"])[0]) ** 2) / 50
    return float(value + 0.5 * ((p["beta"] / np.asarray(scales)) ** 2).sum())


def cpu():
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def numbers(values, digits=2):
    return [None if np.isnan(v) else round(float(v), digits) for v in values]


out = []
for name, horizon, ds, y, frame, ours, theirs in series():
    y = np.round(y, 1)
    args = (name, horizon, ds, y, frame, ours, theirs)
    if "--cpu" in sys.argv:
        spent = []
        for samples in (0, 1000):
            start = cpu()
            for _ in range(3):
                fit(*args, samples)
            spent.append((cpu() - start) / 3)
        print(json.dumps({"name": name, "point_s": spent[0], "interval_s": spent[1]}), flush=True)
        continue
    np.random.seed(1)
    model, forecast = fit(*args, 1000)
    names = sorted(set(frame["holiday"]))
    out.append({
        "name": name, "start": str(ds.iloc[0]), "step_s": int((ds.iloc[1] - ds.iloc[0]).total_seconds()),
        "values": numbers(y[:-horizon], 1), "names": names,
        "holidays": [[str(d.date()), names.index(h)] for d, h in zip(frame["ds"], frame["holiday"])],
        "options": ours,
        "regressors": {k: numbers(v, 6) for k, v in theirs.items()} if "regressors" in ours else {},
        "mean": numbers(forecast["yhat"], 4), "low": numbers(forecast["yhat_lower"]), "high": numbers(forecast["yhat_upper"]),
        "sigma": float(np.ravel(model.params["sigma_obs"])[0]) * model.y_scale,
        "surprise": surprise(model),
    })
if out:
    json.dump(out, sys.stdout, separators=(",", ":"), ensure_ascii=False)
    print()
