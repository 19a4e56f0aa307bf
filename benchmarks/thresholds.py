"""The thresholds that denyproxy is to meet, each a ratio of figures of one run. They are printed, never asserted."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Table = dict[str, dict[str, list[float]]]
"""Proxy -> figure -> its value in each round; memory in MiB above idle."""
Tables = Mapping[str, Table]
"""By case."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A bound of one figure."""

    text: str
    bound: float
    value: Callable[[Tables], float]
    """Raises KeyError where what it needs was not measured."""
    at_least: bool = True


def ratio(table: Table, proxy: str, other: str, figure: str = "rate") -> float:
    """The median of the ratios inside each round. Raises KeyError where there is none."""
    rows = (table[proxy], table[other])
    if any(map(any, (row["errors"] for row in rows))):
        raise KeyError("requests were answered with errors")
    return statistics.median(one / its for one, its in zip(*(row[figure] for row in rows), strict=True))


def _of(case: str, proxy: str, other: str) -> Callable[[Tables], float]:
    return lambda tables: ratio(tables[case], proxy, other)


def _added(tables: Tables) -> float:
    return ratio(tables["latency"], "denyproxy", "nginx", "added_p50_us")


def _most(*figures: str) -> Callable[[Tables], float]:
    return lambda tables: max(max(tables["memory"]["denyproxy"][figure]) for figure in figures)


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("GET of 1 KiB, passthrough, of nginx (goal 0.50)", 0.40, _of("get1k", "denyproxy", "nginx")),
    Threshold("GET of 1 KiB, passthrough, of mitmproxy", 16, _of("get1k", "denyproxy", "mitmproxy")),
    Threshold("GET of 1 KiB, resign, of nginx (goal 0.32)", 0.25, _of("get1k", "denyproxy-resign", "nginx")),
    Threshold("GET of 1 KiB, resign, of mitmproxy", 10, _of("get1k", "denyproxy-resign", "mitmproxy")),
    Threshold("added p50 at one connection, of what nginx adds", 2.5, _added, at_least=False),
    Threshold("GET of 64 MiB, of nginx", 0.85, _of("get64m", "denyproxy", "nginx")),
    Threshold("PUT of 64 MiB, of nginx", 0.85, _of("put64m", "denyproxy", "nginx")),
    Threshold("two workers, of one", 1.1, _of("workers", "denyproxy-2", "denyproxy")),
    Threshold("MiB above idle, GET or PUT of 1 GiB", 8, _most("get", "put"), at_least=False),
    Threshold("MiB above idle, 16 times GET or PUT of 64 MiB", 32, _most("gets", "puts"), at_least=False),
    Threshold("MiB above idle, slow reader or slow upstream", 8, _most("reader", "upstream"), at_least=False),
)


def judged(tables: Tables) -> None:
    """Print which are met."""
    print("\nthresholds")
    for threshold in THRESHOLDS:
        sign = ">=" if threshold.at_least else "<="
        try:
            value = threshold.value(tables)
        except (KeyError, ZeroDivisionError):
            print(f"  not measured  {threshold.text}")
            continue
        met = value >= threshold.bound if threshold.at_least else value <= threshold.bound
        print(f"  {'met' if met else 'NOT MET':12}  {threshold.text}: {value:.2f} ({sign} {threshold.bound:g})")
