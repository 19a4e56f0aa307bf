"""Mutation testing of the IAM engine: `python -m tests.reference.mutation` (mutmut; about half an hour on two cores).

mutmut changes one thing at a time in a copy of the sources and runs the tests that reach it, in a fork of a process
that has imported the module. Tables built on import escape that, so survivors get a process of their own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Collection
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

from tests.reference.equivalents import EQUIVALENT, reason

MODULES = ("literals", "operators", "condition", "statement", "assessment", "evaluation")
TESTS = ("tests/iam", "tests/reference/test_differential.py::test_product_and_reference_agree[0]")
LIKELY = tuple(f"tests/iam/test_{name}.py" for name in ("operators", "mutants", "vectors"))
"""Those that find most mutants, to be run first."""
MOST_SURVIVING = 0.05
SECONDS = 300
"""A mutant that takes longer is endless, and so found."""

CONFTEST = """
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutation", phases=(Phase.explicit, Phase.generate), derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutation")
"""


def prepare(root: Path, directory: Path, modules: Collection[str]) -> None:
    """Copy what is needed, and configure mutmut there."""
    shutil.rmtree(directory, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for tree in ("denyproxy", "tests/iam", "tests/reference"):
        shutil.copytree(root / tree, directory / tree, ignore=ignored)
    shutil.copy(root / "pyproject.toml", directory)
    (directory / "tests/conftest.py").write_text(CONFTEST)
    options = {
        "source_paths": ["denyproxy"],
        "only_mutate": [f"denyproxy/iam/{module}.py" for module in modules],
        "pytest_add_cli_args_test_selection": TESTS,
        "pytest_add_cli_args": ["--ignore=tests/iam/test_laws.py"],
        "use_git_change_detection": ["false"],
        "track_dependencies": ["false"],
        "timeout_constant": ["60"],
    }
    lines = [f"{name}=" + "".join(f"\n    {value}" for value in values) for name, values in options.items()]
    (directory / "setup.cfg").write_text("[mutmut]\n" + "\n".join(lines).replace("=\n    false", "=false") + "\n")


def mutmut(directory: Path, *arguments: str) -> str:
    """Run mutmut there; its standard output."""
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=directory, check=True, stdout=subprocess.PIPE, text=True).stdout


def escapes(directory: Path, mutant: str) -> bool:
    """Do all tests pass with this mutant, in a process of its own?"""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *LIKELY, *TESTS]
    environment = os.environ | {"MUTANT_UNDER_TEST": mutant}
    try:
        finished = subprocess.run(
            command, cwd=directory / "mutants", env=environment, capture_output=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return finished.returncode == 0


def change_of(diff: str) -> str:
    """The lines that a mutant takes away and puts in their place."""
    lines = [line for line in diff.splitlines() if line[:1] in ("-", "+") and line[:3] not in ("---", "+++")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in lines)


def main() -> int:
    """Make and test the mutants; print the survivors as diffs and their share; 1 if that is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=Path(".mutation"), help="for the copy; replaced")
    parser.add_argument("--again", action="store_true", help="only those that escaped mutmut in the last run")
    parser.add_argument("--of", choices=MODULES, nargs="+", default=MODULES, help="of these modules alone")
    arguments = parser.parse_args()
    directory = arguments.directory.resolve()
    if not arguments.again:
        prepare(Path.cwd(), directory, arguments.of)
        progress = None if sys.stdout.isatty() else subprocess.DEVNULL
        subprocess.run([sys.executable, "-m", "mutmut", "run"], cwd=directory, check=True, stdout=progress)
    else:
        shutil.copytree(Path.cwd() / "tests/iam", directory / "mutants/tests/iam", dirs_exist_ok=True)
    results = [line.strip().split(": ") for line in mutmut(directory, "results", "--all", "true").splitlines()]
    results = [row for row in results if row[0].split(".")[2] in arguments.of]
    made = Counter(mutant.split(".")[2] for mutant, _ in results)
    escaped = [mutant for mutant, status in results if status not in ("killed", "timeout")]
    with ThreadPool() as pool:
        found = pool.map(partial(escapes, directory), escaped, chunksize=1)
    survivors = [mutant for mutant, escaping in zip(escaped, found, strict=True) if escaping]
    unused, true = [key for key in EQUIVALENT if key[0].split(".")[2] in made], Counter[str]()
    for mutant in survivors:
        function = mutant.partition("__mutmut")[0]
        change = change_of(mutmut(directory, "show", mutant))
        why = reason(function, change)
        unused = [key for key in unused if key != (function, change)]
        print(f"{function}\n{change}\n  {'SURVIVES' if why is None else 'equivalent: ' + why}\n")
        if why is None:
            true[mutant.split(".")[2]] += 1
    surviving = Counter(mutant.split(".")[2] for mutant in survivors)
    for module in made:
        print(
            f"{module:12}{made[module]:6} mutants{surviving[module]:5} survive{surviving[module] / made[module]:8.1%},"
            f" {true[module]} of them not equivalent"
        )
    for function, change in unused:
        print(f"no survivor any more: {function}\n{change}")
    return int(bool(unused) or any(surviving[module] / made[module] > MOST_SURVIVING for module in made))


if __name__ == "__main__":
    sys.exit(main())
