"""The scenario file: one denied call with all that is needed to explain it. See denyproxy/schema/scenario.schema.json.

A scenario is a closed world: a layer or key that is not given is absent, unless `unknown` lists it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from pydantic import Field, ValidationError

from denyproxy.exchange import Declared, DeniedCall, RequestHead, ResponseHead
from denyproxy.explain.closed_world import ClosedWorld, in_utc
from denyproxy.explain.scenario_check import in_words
from denyproxy.explain.scenario_format import Model, Policies, Request, ResourceState, Response, ScenarioError
from denyproxy.iam.document import Policy
from denyproxy.s3.snapshot import PolicySnapshot

__all__ = ["Scenario", "ScenarioError"]


class Scenario(Model):
    """One scenario. `expect` and `allowed_if` are for tests; nothing here reads them."""

    id: str = ""
    title: str = ""
    source: str = ""
    request: Request
    resource_state: ResourceState = Field(default_factory=ResourceState)
    policies: Policies
    unknown: list[str] = Field(default_factory=list)
    response: Response | None = None
    expect: Any = None
    allowed_if: Any = None

    @classmethod
    def parse(cls, text: str | bytes) -> Scenario:
        """Read a scenario file. Raises ScenarioError naming the place."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ScenarioError(f"not JSON: {error}") from None
        return cls.validate_document(document)

    @classmethod
    def validate_document(cls, document: Any) -> Scenario:
        """Validate a scenario that is already JSON data. Raises ScenarioError naming the place."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise ScenarioError(in_words(error.errors(), cls)) from None

    def denied_call(self, now: datetime) -> DeniedCall:
        """The call. `now` is the time of evaluation where the scenario gives none."""
        request, response = self.request, self.response
        sent = in_utc(request.time)
        received = in_utc(response.time if response else None) or sent or now
        head = self._head()
        body = request.body.encode() if request.body is not None else None
        return DeniedCall(
            id=self.id,
            request=head,
            upstream_request=head,
            response=None if response is None else _response_head(response),
            received=received,
            body=body,
            response_body=None if response is None else _error_document(response, head.method),
            secure=True,
            mode="scenario",
            sent=sent or received,
            declared=self._declared(),
        )

    def _head(self) -> RequestHead:
        request = self.request
        if request.raw is not None:
            return RequestHead(request.raw.method, request.raw.target, tuple(request.raw.headers))
        path = "/"
        # An alias or the name of an access point stands for its ARN.
        bucket = self.policies.access_point.arn if self.policies.access_point is not None else request.bucket
        if bucket is not None:
            path += quote(bucket, safe=":", errors="surrogateescape")
            if request.key is not None:
                path += "/" + quote(request.key, safe="/", errors="surrogateescape")
        query = urlencode(request.query, quote_via=quote, errors="surrogateescape")
        target = f"{path}?{query}" if query else path
        host = f"s3.{request.region or 'us-east-1'}.amazonaws.com"
        headers = (("Host", host), *request.headers.items())
        return RequestHead(request.method or "GET", target, headers)

    def _declared(self) -> Declared:
        request = self.request
        context = {
            key: None if value is None else (value,) if isinstance(value, str) else tuple(value)
            for key, value in request.context.items()
        }
        return Declared(
            principal=request.principal,
            principal_role=request.principal_role,
            principal_account=request.principal_account,
            resource_account=request.resource_account,
            operation=request.operation,
            action=request.action,
            resource=request.resource,
            bucket=request.bucket,
            key=request.key,
            region=request.region,
            context=context,
            unknown=frozenset(name.lower() for name in self.unknown),
            kms_context=self.resource_state.kms.context,
            closed=True,
        )

    def snapshot(self, compiled: Iterable[Policy] = ()) -> PolicySnapshot:
        """The facts, as a snapshot of a closed world. Raises ScenarioError for an invalid policy document.

        `compiled`: policies of which some may stand in it unchanged."""
        return ClosedWorld(self.request, self.resource_state, self.policies, self.unknown, compiled).snapshot()


def _response_head(response: Response) -> ResponseHead:
    return ResponseHead(response.status, "", tuple(response.headers.items()))


def _error_document(response: Response, method: str) -> bytes:
    if response.body is not None:
        return response.body.encode()
    if response.code is None or method == "HEAD":
        return b""
    code, message = escape(response.code), escape(response.message or "")
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
