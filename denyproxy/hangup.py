"""SIGHUP means: read everything again. Until there is anything to read again it must not end the process."""

from __future__ import annotations

import signal
import sys


def ignore_hangup() -> None:
    """Call it first."""
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
