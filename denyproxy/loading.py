"""Where settings come from: a TOML file, `DENYPROXY_` variables, the command line; the last one wins.

Whatever is wrong is reported under the name by which it was given, with what to do about it.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from denyproxy.settings import DELIMITER, PREFIX, Settings, SettingsError

CONFIG_VARIABLE = "DENYPROXY_CONFIG"
_NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "DENYPROXY_MINISTACK", "DENYPROXY_MINISTACK_VENV", "DENYPROXY_REQUIRE_ALL"})
"""Variables with our prefix that mean something else, to the demo and to the tests."""
_SECRETS = frozenset({"credentials", "key"})
"""Members whose values, secrets among them, no message repeats."""


def load(
    given: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    options: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from a TOML file, the environment and what is `given` on the command line (nested, as in the file).

    `config`: the file; None: the one that DENYPROXY_CONFIG names, if any. `options`: dotted key -> command line option,
    for the messages. Raises SettingsError."""
    path = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    file = _read(path) if path is not None else {}
    _check_variables()

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **sources: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return sources["init_settings"], sources["env_settings"], InitSettingsSource(settings_cls, file)

    try:
        return Layered(**(given or {}))
    except ValidationError as error:
        places = _Places(given or {}, options or {}, file, path)
        raise SettingsError("\n".join(places.describe(problem) for problem in error.errors())) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); check --config and {CONFIG_VARIABLE}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None


def _check_variables() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _NOT_SETTINGS
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.partition(DELIMITER)[0].upper() not in known:
            near = difflib.get_close_matches(variable, sorted(known), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"environment variable {variable}: there is no such setting{hint}")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each value came from, so that a problem is reported where it can be mended."""

    given: Mapping[str, Any]
    options: Mapping[str, str]
    file: Mapping[str, Any]
    path: Path | None

    def describe(self, problem: ErrorDetails) -> str:
        """One line: place, key, what is wrong, what to do."""
        location = [str(part) for part in problem["loc"]]
        key = ".".join(location)
        return f"{self._place(location, key)}: {_in_words(problem, location)}" if key else _in_words(problem, location)

    def _place(self, location: list[str], key: str) -> str:
        if _holds(self.given, location):
            return self.options.get(key) or f"{key} (command line)"
        variable = PREFIX + DELIMITER.join(location).upper()
        if any(name.upper().startswith(variable) for name in os.environ):
            return f"environment variable {variable}"
        if self.path is not None and _holds(self.file, location[:1]):
            return f"{self.path}: {key}"
        return key


def _holds(tree: Any, location: list[str]) -> bool:
    for part in location:
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True


def _in_words(problem: ErrorDetails, location: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        siblings = _members(location[:-1])
        near = difflib.get_close_matches(location[-1], siblings, 1)
        return (
            f"there is no such setting; {f'did you mean {near[0]}?' if near else 'known ones: ' + ', '.join(siblings)}"
        )
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] in ("model_type", "dict_type"):
        members = ", ".join(_members(location))
        return f"is a table; set its members{': ' + members if members else ''}"
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    if _SECRETS & set(location):
        return message
    return f"{message}, but it is {problem['input']!r}"


def _members(table: list[str]) -> list[str]:
    model: Any = Settings
    for name in table:
        fields = getattr(model, "model_fields", None)
        model = get_args(model)[-1] if fields is None else fields[name].annotation
        if get_origin(model) in (Union, UnionType):
            model = next((choice for choice in get_args(model) if hasattr(choice, "model_fields")), model)
    return sorted(getattr(model, "model_fields", ()))
