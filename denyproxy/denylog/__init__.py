"""The denial log: one JSON record per line, to where it goes. I/O."""

from denyproxy.denylog.sink import DenyLog, Writing

__all__ = ["DenyLog", "Writing"]
