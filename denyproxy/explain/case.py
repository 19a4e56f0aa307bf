"""One call with all that was found out about it: what an export shows, and what a remedy is tried on."""

from __future__ import annotations

from dataclasses import dataclass

from denyproxy.exchange import DeniedCall
from denyproxy.explain.evidence import Evidence
from denyproxy.s3.operation import OperationTable
from denyproxy.s3.request import Caller, S3Request
from denyproxy.s3.snapshot import PolicySnapshot


@dataclass(frozen=True, slots=True)
class Case:
    """A call, read and evaluated."""

    call: DeniedCall
    request: S3Request
    caller: Caller
    snapshot: PolicySnapshot
    evidence: Evidence
    operations: OperationTable
    keys: frozenset[str] | None = None
    """Of several keys in one request, those that were denied; None: all of them."""
