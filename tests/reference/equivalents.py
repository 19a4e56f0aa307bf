"""Mutants that no test can tell from the original, with the reason."""

from __future__ import annotations

from collections.abc import Mapping

EQUIVALENT: Mapping[tuple[str, str], str] = {}
"""(Function, lines taken away and put in) -> why nothing changes."""
