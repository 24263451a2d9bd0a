"""LightGBM as one model for all series of a set: direct multi-step forecasts, a booster a quantile.

Rows are (origin, step ahead) pairs of all series. Features: the step; the last values at the origin; the values one to four
seasons (and one longer season) before the row that is forecast; mean and deviation of the last quarter, half and whole season;
the place within the season and the longer one. Values are relative to the level (mean of the last season) in units of its
scale (mean absolute seasonal difference). Trained once, on what precedes the first window, then applied at every origin."""

import numpy as np

from .windows import Windows

ROWS = 150_000
TREES = 300
LAGS = 12
NOTE = (
    f"one direct model a set and quantile, trained on what precedes the first window on {ROWS:,} rows at most, "
    f"{TREES} trees of 31 leaves at a rate of 0.05; seasonal and recent lags, scaled by series"
)


def features(history: np.ndarray, origin: int, windows: Windows) -> tuple[np.ndarray, float, float]:
    """`horizon x features` of the forecast made at `origin`, with its level and scale."""
    season, long = windows.season, windows.long_season
    past = history[:origin]
    recent = past[-season:]
    level = float(recent.mean())
    span = past[-5 * season :]
    scale = float(np.abs(span[season:] - span[:-season]).mean()) if len(span) > season else 0.0
    scale = scale or float(np.abs(np.diff(past[-season:])).mean() if len(recent) > 1 else 0.0) or 1.0
    steps = np.arange(windows.horizon)

    def before(rows: int) -> np.ndarray:
        at = origin + steps - rows
        at = np.where(at >= origin, at - ((at - origin) // rows + 1) * rows, at)
        return np.where(at >= 0, history[np.maximum(at, 0)], np.nan)

    columns = [steps, steps % season, (origin + steps) % season]
    columns += [(before(season * back) - level) / scale for back in (1, 2, 3, 4)]
    if long:
        columns += [(before(long) - level) / scale, (origin + steps) % long]
    last = np.full(LAGS, np.nan)
    last[: min(LAGS, origin)] = past[::-1][:LAGS]
    columns += [np.full(windows.horizon, (value - level) / scale) for value in last]
    for part in (max(season // 4, 2), max(season // 2, 2), season):
        piece = past[-part:]
        columns += [np.full(windows.horizon, (piece.mean() - level) / scale)]
        columns += [np.full(windows.horizon, piece.std() / scale)]
    return np.stack(columns, axis=1), level, scale


def forecast(windows: Windows) -> list[np.ndarray]:
    """Quantiles of every window."""
    import lightgbm

    rng = np.random.default_rng(0)
    first = [len(values) - windows.windows * windows.horizon for values in windows.series]
    origins = [
        (number, origin)
        for number, end in enumerate(first)
        for origin in range(2 * windows.season, end - windows.horizon + 1)
    ]
    wanted = max(ROWS // windows.horizon, 1)
    if len(origins) > wanted:
        origins = [origins[i] for i in np.sort(rng.choice(len(origins), wanted, replace=False))]
    inputs, targets = [], []
    for number, origin in origins:
        rows, level, scale = features(windows.series[number], origin, windows)
        inputs.append(rows)
        targets.append((windows.series[number][origin : origin + windows.horizon] - level) / scale)
    data = lightgbm.Dataset(np.concatenate(inputs), np.concatenate(targets), free_raw_data=False)
    common = {"num_leaves": 31, "learning_rate": 0.05, "num_threads": 1, "seed": 0, "deterministic": True, "verbose": -1}
    boosters = [
        lightgbm.train({"objective": "quantile", "alpha": level, **common}, data, num_boost_round=TREES)
        for level in windows.levels
    ]
    found = []
    for _, number, origin in windows.places():
        rows, level, scale = features(windows.series[number], origin, windows)
        quantiles = np.stack([booster.predict(rows) for booster in boosters], axis=1) * scale + level
        found.append(np.sort(quantiles, axis=1))
    return found
