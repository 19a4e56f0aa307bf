"""The facts that decide what an operation needs, as three-valued conditions over a request and a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from denyproxy.iam.truth import UNKNOWN, Truth
from denyproxy.s3.request import S3Request
from denyproxy.s3.snapshot import ObjectFacts, PolicySnapshot
from denyproxy.s3.xml import descendants, parse_xml


@dataclass(frozen=True)
class Scene:
    """A request and all that is known about what it touches."""

    request: S3Request
    snapshot: PolicySnapshot
    caller_account: str | None = None

    @cached_property
    def body(self) -> Element | None:
        """The request's XML body; None: none, not kept, or not XML."""
        return parse_xml(self.request.body)

    @cached_property
    def object(self) -> ObjectFacts | None:
        """The object that the request names; None: there is none."""
        request = self.request
        return self.snapshot.object(request.bucket or "", request.key or "")

    @cached_property
    def source(self) -> ObjectFacts | None:
        """The source of a copy; None: there is none."""
        source = self.request.copy_source
        if source is None:
            return None
        point = self.snapshot.access_points.get(source.bucket)
        return self.snapshot.object(point.bucket if point is not None else source.bucket, source.key)


When = Callable[[Scene], Truth]


def always(_: Scene) -> Truth:
    """Unconditional."""
    return Truth.YES


def query(name: str) -> When:
    """The query parameter is sent, with any value."""
    return lambda scene: Truth.of(scene.request.parameter(name) is not None)


def header(*names: str) -> When:
    """Any one of the header fields is sent."""
    wanted = frozenset(name.lower() for name in names)
    return lambda scene: Truth.of(not wanted.isdisjoint(scene.request.headers))


def header_is(name: str, *values: str) -> When:
    """The header field has one of the values (in any case)."""
    wanted = {value.lower() for value in values}
    return lambda scene: Truth.of((scene.request.header(name) or "").strip().lower() in wanted)


def both(*conditions: When) -> When:
    """All hold."""
    return lambda scene: min(condition(scene) for condition in conditions)


def either(*conditions: When) -> When:
    """Any one holds."""
    return lambda scene: max(condition(scene) for condition in conditions)


def no(condition: When) -> When:
    """It does not hold."""
    return lambda scene: ~condition(scene)


def perhaps(condition: When) -> When:
    """No source is sure of what follows from it: never more than UNKNOWN."""
    return lambda scene: min(condition(scene), Truth.UNKNOWN)


def body_has(name: str) -> When:
    """The XML body has such an element; UNKNOWN where the body was not kept."""

    def condition(scene: Scene) -> Truth:
        if scene.request.body is None or (scene.request.body and scene.body is None):
            return Truth.UNKNOWN
        return Truth.of(next(descendants(scene.body, name), None) is not None)

    return condition


def source_has_version(scene: Scene) -> Truth:
    """x-amz-copy-source names a version."""
    source = scene.request.copy_source
    return Truth.of(source is not None and source.version_id is not None)


def source_has_tags(scene: Scene) -> Truth:
    """The source of the copy has tags; where it is not there, it has none."""
    facts = scene.source
    if facts is None:
        return Truth.NO
    return Truth.UNKNOWN if facts.tags is UNKNOWN else Truth.of(bool(facts.tags))


def unversioned_bucket(scene: Scene) -> Truth:
    """Versioning was never enabled."""
    versioning = scene.snapshot.bucket(scene.request.bucket or "").versioning
    return Truth.UNKNOWN if versioning is UNKNOWN else Truth.of(versioning not in ("Enabled", "Suspended"))
