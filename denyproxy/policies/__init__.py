"""Where policy snapshots come from: a directory of AWS's own answers, watched, and swapped whole. I/O."""

from __future__ import annotations

from denyproxy.policies.directory import build_snapshot, load_directory
from denyproxy.policies.source import DirectorySource, PolicySource

__all__ = ["DirectorySource", "PolicySource", "build_snapshot", "load_directory"]
