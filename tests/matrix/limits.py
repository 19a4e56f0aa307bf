"""What a client or a server cannot do, each with its reason. `python -m tests.matrix.limits` prints the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of the matrix."""

    client: str
    server: str
    mode: str
    addressing: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A step that a client does not have, or that fails without denyproxy too. None: any."""

    step: str
    reason: str
    client: str | None = None
    server: str | None = None
    mode: str | None = None
    addressing: str | None = None
    absent: bool = False
    """The client has no such operation; otherwise it is tried, and must fail direct and through denyproxy alike."""

    def covers(self, cell: Cell, step: str) -> bool:
        here = (cell.client, cell.server, cell.mode, cell.addressing)
        there = (self.client, self.server, self.mode, self.addressing)
        return step == self.step and all(mine is None or mine == its for mine, its in zip(there, here, strict=True))


def absent(client: str, reasons: dict[str, str]) -> Iterator[Limit]:
    for step, reason in reasons.items():
        yield Limit(step, reason, client=client, absent=True)


LIMITS: tuple[Limit, ...] = (
    *absent(
        "awscli",
        {
            "presigned PUT": "`aws s3 presign` makes URLs for GET only",
            "presigned POST": "no command makes POST forms",
        },
    ),
    *absent(
        "rclone",
        {
            "tagging": "no command for tags",
            "presigned PUT": "`rclone link` makes URLs for GET only",
            "presigned POST": "no command makes POST forms",
            "delete objects": "deletes one object at a time",
        },
    ),
    *absent(
        "s3cmd",
        {
            "tagging": "s3cmd 2.3 has no command for tags",
            "presigned PUT": "`s3cmd signurl` makes URLs for GET only",
            "presigned POST": "`s3cmd sign` signs a policy, but makes no form",
        },
    ),
    *absent(
        "curl",
        {
            "presigned GET": "curl signs headers, not URLs",
            "presigned PUT": "curl signs headers, not URLs",
            "presigned POST": "curl signs headers, not forms",
        },
    ),
    *(
        Limit(
            "presigned GET",
            f"{client} makes SigV2 URLs, and SeaweedFS 4.48 takes them with path addressing only",
            client=client,
            server="seaweedfs",
            addressing="virtual-hosted",
        )
        for client in ("awscli", "s3cmd")
    ),
)


def limit(cell: Cell, step: str) -> Limit | None:
    """The limit that covers a step in a cell."""
    return next((one for one in LIMITS if one.covers(cell, step)), None)


def table() -> str:
    """All limits, in Markdown."""
    rows = [("client", "cannot do", "where", "because"), ("---",) * 4]
    for one in LIMITS:
        where = ", ".join(filter(None, (one.server, one.mode, one.addressing))) or "anywhere"
        rows.append((one.client or "every client", one.step, where, one.reason))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
