"""Where the servers differ from AWS: each row names the rule of AWS that decides, and which cases it touches.

A disagreement that no row explains is a failure: our bug, or a row that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.enforcement.generate import Case


@dataclass(frozen=True, slots=True)
class Deviation:
    """A known difference of one server."""

    what: str
    rule: str
    """AWS's rule, which denyproxy follows."""
    touches: Callable[[Case], bool]


def _folds_case(case: Case) -> bool:
    return case.ask.key is not None and case.ask.key != case.ask.key.lower()


def _asks_for_encryption(case: Case) -> bool:
    key = "s3:x-amz-server-side-encryption"
    conditions = (
        block for statement in case.identity["Statement"] for block in statement.get("Condition", {}).values()
    )
    return case.ask.operation == "put_object" and any(key in block for block in conditions)


KNOWN: Mapping[str, tuple[Deviation, ...]] = {
    "ministack": (),
    "seaweedfs": (
        Deviation(
            "Resource of an identity policy compares without regard to case",
            "ARNs compare with regard to case: Docs/a.txt is not docs/a.txt",
            _folds_case,
        ),
        Deviation(
            "identity policies do not see s3:x-amz-server-side-encryption",
            "the key has the value of the header that the request sends",
            _asks_for_encryption,
        ),
    ),
}
