"""Writes holidays.txt.gz: the national holidays of every country that the library `holidays` 0.109 (MIT) knows.

    pip install holidays==0.109 && python make_holidays.py

A line with a country's code is followed by a line for each of its holidays: the name, a tab, and when it is, as
`MMDD` (every year of the file), `YYYY-YYYY:MMDD` (every year from one to the other) or `YYYYMMDD`. Names are English where
the library has them; what it calls estimated is under its plain name.
"""

import gzip
import itertools
import pathlib

import holidays

FIRST, LAST = 2005, 2045


def spans(days):
    by_date = {}
    for day in days:
        by_date.setdefault(day.strftime("%m%d"), set()).add(day.year)
    for date, years in sorted(by_date.items()):
        if years == set(range(FIRST, LAST + 1)):
            yield date
            continue
        for _, run in itertools.groupby(enumerate(sorted(years)), lambda pair: pair[1] - pair[0]):
            run = [year for _, year in run]
            if len(run) > 2:
                yield f"{run[0]}-{run[-1]}:{date}"
            else:
                yield from (f"{year}{date}" for year in run)


lines = [f"{FIRST}-{LAST}"]
for code in sorted(c for c in holidays.list_supported_countries() if len(c) == 2):
    known = getattr(holidays, code)
    language = "en_US" if "en_US" in known.supported_languages else None
    known = known(years=range(FIRST, LAST + 1), language=language, expand=False)
    days = {}
    for day in sorted(known):
        if FIRST <= day.year <= LAST:
            for name in known.get_list(day):
                name = " ".join(name.replace(" (estimated)", "").split())
                days.setdefault(name, set()).add(day)
    lines.append(code)
    lines.extend(f"{name}\t{' '.join(spans(sorted(when)))}" for name, when in sorted(days.items()))

text = ("\n".join(lines) + "\n").encode()
target = pathlib.Path(__file__).with_name("holidays.txt.gz")
with open(target, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
    packed.write(text)
print(len(lines), "lines,", len(text), "bytes,", target.stat().st_size, "packed")
