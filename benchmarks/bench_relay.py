"""What does the relay cost? denyproxy beside nginx, haproxy and mitmproxy as reverse proxies of one nginx.

    python -m benchmarks.bench_relay [--quick] [--bare] [--only CASE,...] [--proxies NAME,...] [--rounds N]

In each round every proxy has its turn, so that what else the machine does bears on all of them; a ratio is taken
inside a round, and the figures are medians of the rounds. On machines with several cores the proxy has one for itself,
but for the cases "64m" and for several workers. Rates are requests per second; CPU is that of the proxy's processes.
The thresholds that denyproxy is to meet are printed as met or not met. DENYPROXY_BENCH_PEER='command with {listen}
and {upstream}' adds any other proxy, under the name "peer".
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import memory, processes
from benchmarks.load import Figures, Job, run
from benchmarks.peers import OBJECTS, PROXIES, Running, Unavailable, program, started, upstream
from benchmarks.thresholds import Table, judged, ratio

DIRECT = "direct"
BASELINE = "nginx"


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of request."""

    method: str
    object: str
    connections: int
    count: int = 0
    """Requests of one turn; 0: as many as fit in a second."""
    pinned: bool = True

    def job(self, target: Running, bare: bool) -> Job:
        """The load of one turn."""
        path = f"get/{self.object}" if self.method == "GET" else f"put/{self.object}"
        seconds = 0 if self.count else 1
        size = OBJECTS[self.object]
        return Job(f"{target.url}/{path}", self.method, size, self.connections, seconds, self.count, bare)


CASES: Mapping[str, Case] = {
    "get1k": Case("GET", "1k", 32),
    "put1k": Case("PUT", "1k", 32),
    "get1m": Case("GET", "1m", 16),
    "put1m": Case("PUT", "1m", 16),
    "get64m": Case("GET", "64m", 2, count=8, pinned=False),
    "put64m": Case("PUT", "64m", 2, count=8, pinned=False),
    "latency": Case("GET", "1k", 1),
    "workers": Case("GET", "1k", 32, pinned=False),
}
_SLOW = {"denyproxy-2", "mitmproxy"}
LEFT_OUT = {
    "get1k": {"denyproxy-2"},
    "put1k": {"denyproxy-2"},
    "get1m": _SLOW | {"denyproxy-session"},
    "put1m": _SLOW | {"denyproxy-session"},
    "get64m": _SLOW,
    "put64m": _SLOW,
    "latency": _SLOW,
    "workers": set(PROXIES) - {"denyproxy", "denyproxy-2"},
}
"""Case -> proxies that it tells nothing new about, or that would take too long."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a proxy did in a round."""

    figures: Figures
    cpu_us: float


def cores(pinned: bool) -> tuple[set[int], set[int], set[int]]:
    """Where upstream, proxy and load run."""
    every = sorted(os.sched_getaffinity(0))
    if not pinned or len(every) < 2:
        return set(every), set(every), set(every)
    return {every[0]}, {every[-1]}, {every[1] if len(every) > 2 else every[0]}


def turn(case: Case, target: Running, directory: Path, bare: bool) -> Turn:
    """One load."""
    before = processes.cpu_seconds(target.pid)
    figures = run(case.job(target, bare), cores(case.pinned)[2], directory)
    return Turn(figures, (processes.cpu_seconds(target.pid) - before) * 1e6 / max(figures.requests, 1))


def rounds_of(
    case: Case, targets: Sequence[Running], rounds: int, directory: Path, bare: bool
) -> Mapping[str, list[Turn]]:
    """The turns of each proxy."""
    at = cores(case.pinned)
    for target in targets:
        processes.pin(target.pid, at[0] if target.name == DIRECT else at[1])
    found: dict[str, list[Turn]] = {target.name: [] for target in targets}
    for number in range(rounds):
        shift = number % len(targets)
        for target in (*targets[shift:], *targets[:shift]):
            found[target.name].append(turn(case, target, directory, bare))
    return found


def table(turns: Mapping[str, list[Turn]]) -> Table:
    """The figures of each round."""
    direct = turns[DIRECT]
    return {
        name: {
            "rate": [one.figures.rate for one in own],
            "cpu_us": [one.cpu_us for one in own],
            "p50_us": [one.figures.p50_us for one in own],
            "added_p50_us": [one.figures.p50_us - other.figures.p50_us for one, other in zip(own, direct, strict=True)],
            "errors": [one.figures.errors for one in own],
        }
        for name, own in turns.items()
    }


def show(name: str, case: Case, rows: Table) -> None:
    """Print a table of medians."""
    rounds = len(rows[DIRECT]["rate"])
    what = f"{case.method} of {OBJECTS[case.object] / 1024:g} KiB, {case.connections} connections"
    print(f"\n{name}: {what}, medians of {rounds}{'' if case.pinned else ', not pinned'}")
    print(f"  {'':20}{'rate/s':>10}{'of nginx':>10}{'CPU us':>10}{'p50 us':>10}{'added p50':>11}")
    for proxy, row in rows.items():
        medians = {figure: statistics.median(values) for figure, values in row.items()}
        try:
            of_nginx = f"{ratio(rows, proxy, BASELINE):.3f}"
        except KeyError:
            of_nginx = "-"
        cpu = f"{medians['cpu_us']:.0f}" if proxy != DIRECT else "-"
        errors = f"  {sum(row['errors']):.0f} errors" if any(row["errors"]) else ""
        line = f"  {proxy:20}{medians['rate']:10.{0 if medians['rate'] > 100 else 1}f}{of_nginx:>10}{cpu:>10}"
        print(f"{line}{medians['p50_us']:10.0f}{medians['added_p50_us']:11.0f}{errors}", flush=True)


def started_proxies(names: Iterable[str], url: str, directory: Path, stack: contextlib.ExitStack) -> list[Running]:
    """Those that can be started; says why the others cannot."""
    found = []
    for name in names:
        try:
            found.append(stack.enter_context(started(name, PROXIES[name], url, directory)))
        except Unavailable as missing:
            print(f"{name} is left out: {missing}", flush=True)
    return found


def _names(known: Iterable[str]) -> argparse._ActionType:
    def parse(value: str) -> list[str]:
        names = value.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"not among {', '.join(known)}: {', '.join(unknown)}")
        return names

    return parse


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    parser.add_argument("--bare", action="store_true", help="requests with Host alone, not signed as those of an SDK")
    parser.add_argument("--rounds", type=int, default=5)
    every = [*CASES, "memory"]
    parser.add_argument("--only", type=_names(every), default=every, metavar="CASE,...", help=", ".join(every))
    parser.add_argument(
        "--proxies", type=_names(PROXIES), default=list(PROXIES), metavar="NAME,...", help=", ".join(PROXIES)
    )
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else arguments.rounds
    tables: dict[str, Table] = {}
    shared = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=shared if shared.is_dir() else None) as name,
        contextlib.ExitStack() as stack,
    ):
        directory = Path(name)
        try:
            program("wrk")
        except Unavailable as missing:
            print(f"{missing}: the load is our own, which is slower than nginx", flush=True)
        try:
            origin = stack.enter_context(started("upstream", upstream, "", directory))
        except Unavailable as missing:
            sys.exit(f"there is no upstream: {missing}")
        direct = Running(DIRECT, origin.port, origin.pid)
        proxies = started_proxies(arguments.proxies, origin.url, directory, stack)
        for case_name in arguments.only:
            if case_name not in CASES:
                continue
            case = CASES[case_name]
            targets = [one for one in proxies if one.name not in LEFT_OUT[case_name]]
            if targets:
                turns = rounds_of(case, [direct, *targets], rounds, directory, arguments.bare)
                tables[case_name] = table(turns)
                show(case_name, case, tables[case_name])
    if "memory" in arguments.only:
        tables["memory"] = memory.measure(arguments.proxies)
    judged(tables)


if __name__ == "__main__":
    main()
