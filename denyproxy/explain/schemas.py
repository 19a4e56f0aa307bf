"""The JSON Schemas of what denyproxy writes, drawn from the models: denyproxy/schema is made from these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from denyproxy.explain.model import Explanation
from denyproxy.explain.record import DenialRecord, ShedRecord

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLES: Mapping[str, tuple[Any, str]] = {
    "explanation": (Explanation, "denyproxy explanation"),
    "record": (DenialRecord | ShedRecord, "line of the denyproxy denial log"),
}


@cache
def schemas() -> Mapping[str, str]:
    """File name -> text."""
    return {f"{name}.schema.json": _text(model, title) for name, (model, title) in _TITLES.items()}


def _text(model: Any, title: str) -> str:
    schema: dict[str, Any] = TypeAdapter(model).json_schema(by_alias=True, mode="serialization")
    return json.dumps({"$schema": _DIALECT, **schema, "title": title}, indent=1) + "\n"
