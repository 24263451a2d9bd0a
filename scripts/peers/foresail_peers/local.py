"""Peers that are fitted on one series at a time. Each gives a function of (history, windows) that returns quantiles, as
`horizon x levels`, and a sentence on how it was set up."""

import warnings
from importlib.metadata import version

import numpy as np

from .windows import Windows

# More history costs these models minutes a window and changes little.
CONTEXT = 2_000
# Seasonal ARIMA of a longer season does not come to an end.
LONGEST_ARIMA_SEASON = 24


def statsforecast(make):
    """A model of statsforecast with its own prediction intervals."""

    def forecast(history: np.ndarray, windows: Windows) -> np.ndarray:
        model = make(windows)
        levels = sorted({round(abs(200 * level - 100)) for level in windows.levels} - {0})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.forecast(y=history[-CONTEXT:], h=windows.horizon, level=levels)

        def at(level: float) -> np.ndarray:
            if level == 0.5:
                return found["mean"]
            return found[f"{'hi' if level > 0.5 else 'lo'}-{round(abs(200 * level - 100))}"]

        return np.stack([np.asarray(at(level), dtype=float) for level in windows.levels], axis=1)

    return forecast


def auto_arima(windows: Windows):
    from statsforecast.models import AutoARIMA

    return AutoARIMA(season_length=windows.season if windows.season <= LONGEST_ARIMA_SEASON else 1)


def auto_ets(windows: Windows):
    from statsforecast.models import AutoETS

    return AutoETS(season_length=windows.season)


def auto_theta(windows: Windows):
    from statsforecast.models import AutoTheta

    return AutoTheta(season_length=windows.season)


def mstl(windows: Windows):
    from statsforecast.models import MSTL

    seasons = [windows.season]
    if 0 < windows.long_season <= CONTEXT // 2:
        seasons.append(windows.long_season)
    return MSTL(season_length=seasons)


def flair(history: np.ndarray, windows: Windows) -> np.ndarray:
    from flaircast import forecast

    names = {10: "10S", 60: "T", 300: "5T", 600: "10T", 900: "15T", 1800: "30T", 3600: "H"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = forecast(history, windows.horizon, names[round(windows.step_s)], n_samples=200, seed=0)
    return np.quantile(samples, windows.levels, axis=0).T


def prophet(history: np.ndarray, windows: Windows) -> np.ndarray:
    import logging

    import pandas
    from prophet import Prophet

    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    step = pandas.Timedelta(seconds=windows.step_s)
    times = pandas.Timestamp(0) + step * np.arange(len(history) + windows.horizon)
    model = Prophet().fit(pandas.DataFrame({"ds": times[: len(history)], "y": history}))
    samples = model.predictive_samples(pandas.DataFrame({"ds": times[len(history) :]}))["yhat"]
    return np.quantile(samples, windows.levels, axis=1).T


def of(library: str) -> str:
    return f"{library} {version(library)}"


CAPPED = f"context of {CONTEXT:,} rows, 60 s of CPU a window, then the seasonal naive forecast"
LOCAL = {
    "AutoARIMA": (
        statsforecast(auto_arima),
        "statsforecast",
        f"{CAPPED}; not seasonal where the season exceeds {LONGEST_ARIMA_SEASON} rows",
    ),
    "AutoETS": (statsforecast(auto_ets), "statsforecast", CAPPED),
    "AutoTheta": (statsforecast(auto_theta), "statsforecast", CAPPED),
    "MSTL": (
        statsforecast(mstl),
        "statsforecast",
        f"{CAPPED}; the season of the set, and a day or week besides where the context holds two",
    ),
    "FLAIR": (flair, "flaircast", "all history, 200 samples"),
    "Prophet": (prophet, "prophet", "all history, default settings, 1,000 samples; 60 s of CPU a window"),
}
