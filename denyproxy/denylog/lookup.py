"""Records of the log by their ids."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Tag, TypeAdapter, ValidationError

from denyproxy.explain.record import DenialRecord, ShedRecord


def _kind(line: Any) -> str:
    return "shed" if isinstance(line, dict) and "kind" in line else "denial"


_LINE: TypeAdapter[DenialRecord | ShedRecord] = TypeAdapter(
    Annotated[Annotated[DenialRecord, Tag("denial")] | Annotated[ShedRecord, Tag("shed")], Discriminator(_kind)]
)


@dataclass(slots=True)
class Found:
    """What a log has of some ids."""

    records: dict[str, DenialRecord] = field(default_factory=dict)
    """Id -> its record; of several with one id, the last."""
    shed: set[str] = field(default_factory=set)
    """Those of the ids that the log only names: they came in a storm and were not explained."""
    problems: list[str] = field(default_factory=list)
    """Lines with one of the ids in them that are no records: `line 7: what is wrong`."""


def look_up(log: Path, ids: Collection[str]) -> Found:
    """The records of these ids. Reads the whole log, a line at a time. Raises OSError."""
    found = Found()
    wanted = [identity.encode() for identity in ids]
    with log.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not any(identity in line for identity in wanted):
                continue
            try:
                record = _LINE.validate_json(line)
            except ValidationError as error:
                found.problems.append(f"line {number}: not a denial record: {error.errors()[0]['msg']}")
                continue
            if isinstance(record, ShedRecord):
                found.shed.update(set(ids).intersection(record.ids))
            elif record.id in ids:
                found.records[record.id] = record
    return found
