"""Requests as botocore serialises and signs them, without sending any."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from denyproxy.exchange import RequestHead

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"


class Captured(Exception):
    """Carries the request that would have been sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        super().__init__()
        self.request = request


def _capture(request: AWSPreparedRequest, **_: Any) -> None:
    raise Captured(request)


@cache
def client(addressing: str = "path", region: str = "us-east-1", endpoint: str | None = None) -> Any:
    session = botocore.session.Session()
    session.set_credentials(ACCESS_KEY, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    config = Config(s3={"addressing_style": addressing}, retries={"total_max_attempts": 1}, parameter_validation=False)
    made = session.create_client("s3", region_name=region, endpoint_url=endpoint, config=config)
    made.meta.events.register("before-send.s3", _capture)
    return made


def operation_names() -> tuple[str, ...]:
    return tuple(client().meta.service_model.operation_names)


def operation_model(name: str) -> OperationModel:
    return client().meta.service_model.operation_model(name)


def serialised(name: str, parameters: dict[str, Any], **options: Any) -> tuple[RequestHead, bytes]:
    """The head and body of one call."""
    made = client(**options)
    try:
        made._make_api_call(name, parameters)
    except Captured as captured:
        return _head(captured.request)
    raise AssertionError(f"{name} was not sent")


def _head(request: AWSPreparedRequest) -> tuple[RequestHead, bytes]:
    url = urlsplit(request.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    headers = [
        (name, value.decode() if isinstance(value, bytes) else str(value)) for name, value in request.headers.items()
    ]
    if not any(name.lower() == "host" for name, _ in headers):
        headers.insert(0, ("Host", url.netloc))
    body = request.body
    content = body.read() if hasattr(body, "read") else body or b""
    return RequestHead(request.method, target, tuple(headers)), content if isinstance(content, bytes) else b""


SAMPLES = {
    "Bucket": "bkt",
    "Key": "dir/key.txt",
    "CopySource": "source-bkt/source-key",
    "RenameSource": "/bkt/other",
    "RequestRoute": "io-route",
    "ObjectAttributes": ["ETag"],
    "Body": b"x",
    "Policy": "{}",
}


def sample(shape: Shape, name: str = "", depth: int = 0) -> Any:
    """A small value of a shape, with the required members alone."""
    if name in SAMPLES:
        return SAMPLES[name]
    if isinstance(shape, StructureShape):
        members = shape.required_members or list(shape.members)[:1]
        return {member: sample(shape.members[member], member, depth + 1) for member in members if depth < 6}
    if isinstance(shape, ListShape):
        return [sample(shape.member, "", depth + 1)]
    if isinstance(shape, MapShape):
        return {"name": sample(shape.value, "", depth + 1)}
    if getattr(shape, "enum", None):
        return shape.enum[0]
    values = {"integer": 1, "long": 1, "boolean": True, "blob": b"x", "timestamp": "2030-01-01T00:00:00Z", "float": 1.0}
    return values.get(shape.type_name, "text")


def minimal(name: str) -> dict[str, Any]:
    """The required parameters of an operation."""
    shape = operation_model(name).input_shape
    if shape is None:
        return {}
    return {member: sample(shape.members[member], member) for member in shape.required_members}
