"""What denyproxy says of itself: one line for each message."""

from __future__ import annotations

import logging
import signal

import pytest

from denyproxy.stderr import OneLine, escape
from tests.app.test_serve import serving


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31m\x9b31m\x85\x7f\x00", "\\x1b[31m\\x9b31m\\x85\\x7f\\x00"),
        ("a\u2028b", "a\\u2028b"),
        ("caf\xe9 €😀 100 %", "caf\xe9 €😀 100 %"),
    ],
)
def test_control_characters_are_escaped(text: str, escaped: str) -> None:
    """C0, DEL, C1 and line separators; nothing else."""
    assert escape(text) == escaped


def test_a_traceback_forges_no_message() -> None:
    """Its lines are indented, also those of an exception's own words."""
    try:
        raise ValueError("x\n2026-11-26 CRITICAL denyproxy: forged\x1b[31m")
    except ValueError as error:
        record = logging.LogRecord(
            "n", logging.ERROR, "", 0, "failed\nbadly", (), (ValueError, error, error.__traceback__)
        )
    first, *others = OneLine("%(levelname)s %(message)s").format(record).split("\n")
    assert first == "ERROR failed\\nbadly"
    assert all(line.startswith("  ") for line in others)
    assert "  2026-11-26 CRITICAL denyproxy: forged\\x1b[31m" in others


async def test_a_request_forges_no_line_of_the_log() -> None:
    """Decoded text of a request may be a part of a message: here, a host of the forward mode."""
    async with serving("--forward", "--upstream", "http://127.0.0.1:9") as served:
        async with served.connect() as wire:
            host = "\u009b31mFORGED"
            await wire.send(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert (await wire.message()).status == 403
        served.process.send_signal(signal.SIGTERM)
        _, _, err = await served.ended()
    assert b"does not forward to \\x9b31mforged" in err
    assert "\u009b".encode() not in err
