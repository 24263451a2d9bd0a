"""A set as `foresail bench forecast --export` writes it, and the naive forecast that every peer falls back to."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm


@dataclass(frozen=True)
class Windows:
    """Series that are forecast alike. The last `windows * horizon` values of each are forecast, window by window."""

    name: str
    horizon: int
    season: int
    windows: int
    step_s: float
    levels: list[float]
    series: list[np.ndarray]

    @classmethod
    def read(cls, path: Path) -> "Windows":
        found = json.loads(path.read_text())
        series = [filled(entry["values"]) for entry in found["series"]]
        fields = ("horizon", "season", "windows", "step_s", "levels")
        return cls(name=found["set"], series=series, **{field: found[field] for field in fields})

    def places(self):
        """Every window as (its index, its series, the rows that precede it)."""
        for number, values in enumerate(self.series):
            for window in range(self.windows):
                yield number * self.windows + window, number, len(values) - (self.windows - window) * self.horizon

    @property
    def long_season(self) -> int:
        """Rows of the next longer season of the calendar: a day, a week; 0 if the season is that of a week."""
        spans = [round(span / self.step_s) for span in (86_400, 604_800)]
        return next((span for span in spans if span > self.season), 0)


def filled(values: list) -> np.ndarray:
    """Gaps hold the value before them; those at the front the first there is."""
    found = np.array([np.nan if value is None else value for value in values], dtype=float)
    last = np.maximum.accumulate(np.where(np.isnan(found), 0, np.arange(len(found))))
    found = found[last]
    seen = found[~np.isnan(found)]
    return np.where(np.isnan(found), seen[0] if len(seen) else 0.0, found)


def naive(history: np.ndarray, windows: Windows) -> np.ndarray:
    """The seasonal naive forecast with normal intervals: `horizon x levels`."""
    season = min(windows.season, len(history))
    misses = history[season:] - history[:-season]
    deviation = float(np.sqrt(np.mean(misses**2))) if len(misses) else 0.0
    steps = np.arange(windows.horizon)
    mean = history[len(history) - season + steps % season]
    width = deviation * np.sqrt(steps // season + 1)
    return mean[:, None] + width[:, None] * norm.ppf(windows.levels)[None, :]
