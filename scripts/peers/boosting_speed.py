"""LightGBM and scikit-learn on the tables that the example `boosting_speed` of foresail-learn wrote.

python boosting_speed.py FOLDER THREADS   (lightgbm 4.7.0, scikit-learn 1.9.1, numpy)
"""

import statistics
import sys
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np
from sklearn.ensemble import RandomForestRegressor

LEVELS = [i / 10 for i in range(1, 10)]


def read(path):
    raw = path.read_bytes()
    rows, learned, width = np.frombuffer(raw, "<u8", 3).astype(int)
    x = np.frombuffer(raw, "<f4", rows * width, 24).reshape(rows, width)
    y = np.frombuffer(raw, "<f8", rows, 24 + 4 * rows * width)
    return x, y, learned


def timed(work, times=3):
    runs = []
    for _ in range(times):
        started = time.perf_counter()
        result = work()
        runs.append(time.perf_counter() - started)
    return statistics.median(runs), result


def pinball(level, error):
    return np.maximum(level * error, (level - 1) * error).mean()


def main():
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    base = {"num_threads": threads, "verbosity": -1}
    for path in sorted(folder.glob("*.bin")):
        x, y, learned = read(path)

        def boost(**more):
            params = base | more
            table = lgb.Dataset(x[:learned], y[:learned], params=params)
            return lgb.train(params, table, num_boost_round=100)

        def report(model, secs, figure, value):
            print(f"{path.stem:>10} {model:>28} {secs:8.3f} s  {figure} {value:.5f}", flush=True)

        secs, model = timed(lambda: boost(objective="regression"))
        report("boosting, mean", secs, "RMSE", np.sqrt(((model.predict(x[learned:]) - y[learned:]) ** 2).mean()))
        secs, model = timed(lambda: boost(objective="quantile", alpha=0.9))
        report("boosting, one quantile", secs, "pinball", pinball(0.9, y[learned:] - model.predict(x[learned:])))
        secs, models = timed(lambda: [boost(objective="quantile", alpha=level) for level in LEVELS], 1)
        loss = [pinball(level, y[learned:] - m.predict(x[learned:])) for level, m in zip(LEVELS, models)]
        report("boosting, nine quantiles", secs, "pinball", np.mean(loss))
        for share in [1 / 3, 1.0]:
            forest = RandomForestRegressor(
                10, max_depth=30, min_samples_leaf=5, max_features=share, n_jobs=threads, random_state=1
            )
            secs, forest = timed(lambda: forest.fit(x[:learned], y[:learned]), 1)
            error = forest.predict(x[learned:]) - y[learned:]
            report(f"forest, {share:.2f} of features", secs, "RMSE", np.sqrt((error**2).mean()))


main()
