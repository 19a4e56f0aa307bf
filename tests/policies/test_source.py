"""A directory source on a real directory: it follows changes, and never loses what was good."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from denyproxy.iam.document import UNKNOWN_POLICIES
from denyproxy.policies import DirectorySource, PolicySource
from denyproxy.s3.snapshot import PolicySnapshot
from tests.policies.build import NOW, encoded, resource_document

PATIENCE = 30.0
"""Seconds after which a change that was not noticed is a failure."""


class Clock:
    """A minute passes with every look at it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


class Watcher:
    """Waits for a snapshot that is as wanted."""

    def __init__(self) -> None:
        self.seen: list[PolicySnapshot] = []
        self._changed = asyncio.Event()

    def __call__(self, snapshot: PolicySnapshot) -> None:
        self.seen.append(snapshot)
        self._changed.set()

    async def until(self, wanted: Callable[[PolicySnapshot], bool]) -> PolicySnapshot:
        async with asyncio.timeout(PATIENCE):
            while not (self.seen and wanted(self.seen[-1])):
                self._changed.clear()
                await self._changed.wait()
        return self.seen[-1]


@asynccontextmanager
async def watching(path: Path, poll: float = 0.1) -> AsyncIterator[tuple[DirectorySource, Watcher]]:
    watcher = Watcher()
    source = DirectorySource(path, clock=Clock(), on_change=watcher, poll=poll)
    await source.start()
    try:
        yield source, watcher
    finally:
        await source.stop()


def put(root: Path, sid: str, name: str = "buckets/b.json") -> None:
    """Write a file as careful programs do: beside, then renamed."""
    write(root, encoded({"Policy": resource_document(sid)}), name)


def write(root: Path, content: bytes, name: str = "buckets/b.json") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)


def sids(snapshot: PolicySnapshot, bucket: str = "b") -> list[Any]:
    return [policy.document["Statement"][0]["Sid"] for policy in snapshot.bucket(bucket).policy.policies]


async def test_it_is_a_policy_source(tmp_path: Path) -> None:
    source: PolicySource = DirectorySource(tmp_path)
    assert isinstance(source.snapshot, PolicySnapshot)


async def test_before_the_first_load_everything_is_unknown(tmp_path: Path) -> None:
    put(tmp_path, "One")
    source = DirectorySource(tmp_path)
    assert source.snapshot.bucket("b").policy == UNKNOWN_POLICIES
    assert source.snapshot.loaded is None
    assert str(tmp_path) in source.snapshot.problems[0].file


async def test_start_loads(tmp_path: Path) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path) as (source, watcher):
        assert sids(source.snapshot) == ["One"]
        assert source.snapshot.problems == ()
        assert source.snapshot.loaded == NOW + timedelta(minutes=1)
        assert watcher.seen == [source.snapshot]


async def test_a_notification_reloads_long_before_the_next_look(tmp_path: Path) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path, poll=3600) as (source, _):
        # Written again and again, since nothing tells when the watch is in place.
        async with asyncio.timeout(PATIENCE):
            attempt = 0
            while sids(source.snapshot) == ["One"]:
                attempt += 1
                put(tmp_path, f"Edit{attempt}")
                await asyncio.sleep(0.1)
        assert sids(source.snapshot)[0].startswith("Edit")


async def test_edited_added_and_removed_files(tmp_path: Path) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path) as (source, watcher):
        before = source.snapshot
        put(tmp_path, "Two")
        after = await watcher.until(lambda snapshot: sids(snapshot) == ["Two"])
        assert source.snapshot is after
        assert sids(before) == ["One"]
        assert after.revision != before.revision
        put(tmp_path, "New", "buckets/c.json")
        await watcher.until(lambda snapshot: sids(snapshot, "c") == ["New"])
        (tmp_path / "buckets/c.json").unlink()
        gone = await watcher.until(lambda snapshot: "c" not in snapshot.buckets)
        assert gone.revision == after.revision


async def test_a_bad_edit_keeps_the_last_good_content_and_is_mended_by_a_good_one(tmp_path: Path) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path) as (_, watcher):
        write(tmp_path, b'{"Policy": ')
        broken = await watcher.until(lambda snapshot: bool(snapshot.problems))
        assert sids(broken) == ["One"]
        assert broken.problems[0].file == "buckets/b.json"
        assert "since" in broken.problems[0].message
        put(tmp_path, "Two")
        await watcher.until(lambda snapshot: sids(snapshot) == ["Two"] and not snapshot.problems)


async def test_a_file_that_is_broken_from_the_start_leaves_its_layer_unknown(tmp_path: Path) -> None:
    write(tmp_path, b"{")
    put(tmp_path, "Fine", "buckets/c.json")
    async with watching(tmp_path) as (source, _):
        assert source.snapshot.bucket("b").policy == UNKNOWN_POLICIES
        assert sids(source.snapshot, "c") == ["Fine"]
        assert [problem.file for problem in source.snapshot.problems] == ["buckets/b.json"]


async def test_a_directory_that_is_not_there_yet_is_loaded_when_it_is(tmp_path: Path) -> None:
    path = tmp_path / "policies"
    async with watching(path) as (source, watcher):
        (problem,) = source.snapshot.problems
        assert problem.file == str(path)
        assert "every policy is unknown" in problem.message
        assert source.snapshot.loaded is None
        put(path, "One")
        found = await watcher.until(lambda snapshot: sids(snapshot) == ["One"])
        assert found.problems == ()


async def test_a_directory_that_vanishes_keeps_the_last_snapshot_and_its_age(tmp_path: Path) -> None:
    path = tmp_path / "policies"
    put(path, "One")
    async with watching(path) as (source, watcher):
        loaded = source.snapshot.loaded
        path.rename(tmp_path / "elsewhere")
        vanished = await watcher.until(lambda snapshot: bool(snapshot.problems))
        assert sids(vanished) == ["One"]
        assert vanished.loaded == loaded
        assert [problem.file for problem in vanished.problems] == [str(path)]
        assert "stay in use" in vanished.problems[0].message
        put(path, "Two")
        await watcher.until(lambda snapshot: sids(snapshot) == ["Two"] and not snapshot.problems)
        put(path, "Three")
        await watcher.until(lambda snapshot: sids(snapshot) == ["Three"])


async def test_a_link_that_is_turned_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "one", "One")
    put(tmp_path / "two", "Two")
    link = tmp_path / "current"
    link.symlink_to("one")
    async with watching(link) as (source, watcher):
        assert sids(source.snapshot) == ["One"]
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(link)
        await watcher.until(lambda snapshot: sids(snapshot) == ["Two"])
        put(tmp_path / "two", "Three")
        await watcher.until(lambda snapshot: sids(snapshot) == ["Three"])


async def test_what_changes_nothing_swaps_nothing(tmp_path: Path) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path) as (source, watcher):
        before = source.snapshot
        os.utime(tmp_path / "buckets/b.json", (1, 1))
        (tmp_path / "README.md").write_text("notes")
        await source.reload()
        assert source.snapshot is before
        assert watcher.seen == [before]


async def test_a_fault_in_denyproxy_keeps_the_last_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path) as (source, _):
        with monkeypatch.context() as patch:
            patch.setattr("denyproxy.policies.source.load_files", lambda *_: 1 / 0)
            await source.reload()
        assert sids(source.snapshot) == ["One"]
        assert "a fault in denyproxy" in source.snapshot.problems[0].message
        assert "ZeroDivisionError" in caplog.text
        await source.reload()
        assert source.snapshot.problems == ()


async def test_a_listener_that_fails_does_not_stop_the_watching(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "One")
    watcher = Watcher()

    def fail_after(snapshot: PolicySnapshot) -> None:
        watcher(snapshot)
        raise ValueError("listener")

    source = DirectorySource(tmp_path, on_change=fail_after, poll=0.1)
    await source.start()
    try:
        put(tmp_path, "Two")
        await watcher.until(lambda snapshot: sids(snapshot) == ["Two"])
    finally:
        await source.stop()
    assert "listener" in caplog.text


async def test_without_notifications_it_looks_from_time_to_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **more: Any) -> Any:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.awatch", refuse)
    put(tmp_path, "One")
    async with watching(tmp_path) as (_, watcher):
        put(tmp_path, "Two")
        await watcher.until(lambda snapshot: sids(snapshot) == ["Two"])


async def test_reloads_and_problems_are_one_line_each(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "denyproxy.policies")
    write(tmp_path, b"{", "buckets/b\nc.json")
    async with watching(tmp_path) as (source, _):
        put(tmp_path, "Fine", "buckets/d.json")
        await source.reload()
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    warnings = [line for level, line in lines if level == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("buckets/b\\nc.json: line 1, column 2: not JSON")
    reloads = [line for level, line in lines if level == "INFO"]
    assert [line.partition(": ")[0] for line in reloads] == [f"policies of {tmp_path}"] * 2
    assert "1 buckets, 1 problems" in reloads[1]
    assert all("\n" not in line for _, line in lines)


async def test_stop_ends_the_watching_and_keeps_the_snapshot(tmp_path: Path) -> None:
    put(tmp_path, "One")
    async with watching(tmp_path) as (source, _):
        pass
    put(tmp_path, "Two")
    assert sids(source.snapshot) == ["One"]
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    await source.stop()
    await source.start()
    assert sids(source.snapshot) == ["Two"]
    await source.stop()


async def test_a_directory_that_is_removed_altogether(tmp_path: Path) -> None:
    path = tmp_path / "policies"
    put(path, "One")
    async with watching(path) as (_, watcher):
        shutil.rmtree(path)
        vanished = await watcher.until(lambda snapshot: any(problem.file == str(path) for problem in snapshot.problems))
        assert vanished.loaded is not None


async def test_garbage_is_collected_again_after_a_load_and_after_a_failed_one(tmp_path: Path) -> None:
    seen: list[bool] = []

    def look() -> datetime:
        seen.append(gc.isenabled())
        return NOW

    put(tmp_path, "One")
    source = DirectorySource(tmp_path, clock=look)
    await source.reload()
    assert seen == [False]
    assert gc.isenabled()
    shutil.rmtree(tmp_path)
    await source.reload()
    assert gc.isenabled()
