"""A denial record as the call that it is about, as far as a record tells: bodies and signatures it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from denyproxy.exchange import DeniedCall
from denyproxy.explain.record import DenialRecord
from denyproxy.explain.scenario import Scenario


def recalled(record: DenialRecord) -> DeniedCall:
    """The call of a record, for an explanation with other policies than those of its day."""
    facts, principal = record.call, record.principal
    request: dict[str, Any] = {
        "operation": record.operation,
        "method": facts.method,
        "bucket": facts.access_point or record.bucket,
        "key": record.key,
        "query": facts.query,
        "headers": facts.headers,
        "region": facts.region,
        "principal": principal.arn or principal.type,
        "principal_account": principal.account,
        # What follows from the request is derived from it again.
        "context": {key: list(values) for key, values in facts.context.items() if key.startswith("aws:")},
        "time": record.time,
    }
    upstream = record.upstream
    response = {"status": upstream.status or 403, "code": upstream.code, "message": upstream.message}
    document = {"id": record.id, "request": request, "policies": {}, "response": {**response, "time": record.time}}
    call = Scenario.validate_document(document).denied_call(record.time)
    return replace(
        call,
        declared=replace(call.declared, closed=False),
        upstream_kind=facts.upstream_kind,
        client_address=facts.client,
        mode=facts.mode,
    )
