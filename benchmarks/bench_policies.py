"""How long does a large policy directory take to load, and how long does loading hold up the event loop?

    python -m benchmarks.bench_policies

1,000 buckets, 500 roles, 2,000 policies (1,000 bucket policies, 500 inline, 500 managed), all different. While the
directory is loaded in its thread, and swapped, the loop is asked for a turn all the time; the longest wait counts.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from denyproxy.policies import DirectorySource

BUCKETS, ROLES, ROUNDS = 1000, 500, 5
ACCOUNT = "111122223333"


def statement(number: int, at: int, **more: Any) -> dict[str, Any]:
    """One statement unlike any other."""
    return {
        "Sid": f"Statement{at}",
        "Effect": "Deny" if at % 3 == 2 else "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:List*"],
        "Resource": [f"arn:aws:s3:::bucket-{number}", f"arn:aws:s3:::bucket-{number}/${{aws:username}}/{at}/*"],
        "Condition": {"StringLike": {"aws:PrincipalTag/team": [f"team-{number}", "ops-*"]}},
    } | more


def document(number: int, **more: Any) -> dict[str, Any]:
    """A policy of four statements."""
    return {"Version": "2012-10-17", "Statement": [statement(number, at, **more) for at in range(4)]}


def write_directory(root: Path) -> int:
    """Write the directory; returns its size in bytes."""
    roles = [
        {
            "Arn": f"arn:aws:iam::{ACCOUNT}:role/role-{number}",
            "RolePolicyList": [{"PolicyName": f"inline-{number}", "PolicyDocument": document(number)}],
            "AttachedManagedPolicies": [{"PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/managed-{number}"}],
            "Tags": [],
        }
        for number in range(ROLES)
    ]
    managed = [
        {
            "PolicyName": f"managed-{number}",
            "Arn": f"arn:aws:iam::{ACCOUNT}:policy/managed-{number}",
            "DefaultVersionId": "v1",
            "PolicyVersionList": [{"VersionId": "v1", "Document": document(number + ROLES)}],
        }
        for number in range(ROLES)
    ]
    details = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles, "Policies": managed}
    (root / "iam").mkdir()
    (root / "buckets").mkdir()
    (root / "iam/account.json").write_text(json.dumps(details, indent=4))
    for number in range(BUCKETS):
        policy = json.dumps(document(number, Principal={"AWS": ACCOUNT}))
        (root / f"buckets/bucket-{number}.json").write_text(json.dumps({"Account": ACCOUNT, "Policy": policy}))
    return sum(path.stat().st_size for path in root.rglob("*.json"))


async def pauses(until: asyncio.Event) -> list[float]:
    """Seconds from one turn of the loop to the next, beyond what was slept."""
    found: list[float] = []
    while not until.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        found.append(time.perf_counter() - began - 0.001)
    return found


async def measured(work: Any) -> tuple[float, float]:
    """Seconds that some work takes, and the longest pause of the loop meanwhile."""
    done = asyncio.Event()
    watching = asyncio.create_task(pauses(done))
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    await work
    took = time.perf_counter() - began
    done.set()
    return took, max(await watching)


async def loads(root: Path) -> list[tuple[str, float, float]]:
    """(what, seconds, longest pause) of the first load, of one edit, and of an edit of a large file."""
    results = [("idle, for comparison", *await measured(asyncio.sleep(0.5)))]
    source = DirectorySource(root)
    results.append(("first load", *await measured(source.reload())))
    assert (len(source.snapshot.buckets), len(source.snapshot.principals)) == (BUCKETS, ROLES)
    assert source.snapshot.problems == ()
    (root / "buckets/bucket-7.json").write_text(json.dumps({"Policy": None}))
    results.append(("one bucket edited", *await measured(source.reload())))
    iam = root / "iam/account.json"
    iam.write_text(iam.read_text() + "\n")
    results.append(("IAM file edited", *await measured(source.reload())))
    return results


def main() -> None:
    """Print the median time and the longest pause of several rounds."""
    rounds = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as directory:
            size = write_directory(Path(directory))
            gc.collect()
            rounds.append(asyncio.run(loads(Path(directory))))
    print(f"{BUCKETS} buckets, {ROLES} roles, {BUCKETS + 2 * ROLES} policies, {size / 1e6:.1f} MB; {ROUNDS} rounds")
    print(f"Python {sys.version.split()[0]}, switch interval {sys.getswitchinterval() * 1000:.0f} ms")
    for case in zip(*rounds, strict=True):
        seconds = statistics.median(took for _, took, _ in case)
        worst = [pause for _, _, pause in case]
        print(
            f"  {case[0][0]:<22}{seconds:7.2f} s   longest pause of the loop: "
            f"median {statistics.median(worst) * 1000:.0f} ms, worst {max(worst) * 1000:.0f} ms"
        )


if __name__ == "__main__":
    main()
