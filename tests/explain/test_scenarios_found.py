"""Cases found after the first forty: real 403 threads and AWS's documented examples, with the cause by AWS's rules.

Each is also explained with less known, and with what S3 would have said of it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jsonpatch
import pytest

from denyproxy.explain.model import Cause, Explanation
from tests.explain.test_scenarios import COMPARED, acceptable, agrees, asked, explain

FILES = sorted((Path(__file__).parent.parent / "scenarios_found").glob("*.json"))
SCENARIOS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}

DOUBTFUL = {"act-f13", "kms-b02", "kms-f02", "scp-b02", "tls-b01"}
"""AWS's pages disagree on what these operations need, so the cause is right but not certain."""

PLACES: dict[str, tuple[str, list[Any] | None]] = {
    "identity": ("identity", []),
    "bucket-policy": ("bucket_policy", None),
    "permissions-boundary": ("permissions_boundary", None),
    "session-policy": ("session", None),
    "scp": ("scp", None),
    "rcp": ("rcp", None),
    "vpc-endpoint-policy": ("vpc_endpoint_policy", None),
    "kms-key-policy": ("kms_key_policy", None),
    "acl": ("acl", None),
    "block-public-access": ("block_public_access", None),
}
"""Layer -> its member of `policies`, and what stands there when the layer is not known."""


def test_there_are_many_in_every_family() -> None:
    families = {name.partition("-")[0] for name in SCENARIOS}
    assert len(SCENARIOS) >= 80
    assert len(families) >= 26


@pytest.mark.parametrize("name", SCENARIOS)
def test_cause(name: str) -> None:
    document = SCENARIOS[name]
    explanation = explain(document)
    assert explanation.cause is not None, explanation.summary
    cause = explanation.cause.model_dump()
    expected = {field: document["expect"][field] for field in COMPARED if field in document["expect"]}
    assert agrees(explanation, document["expect"]), {field: (cause[field], expected[field]) for field in expected}
    assert explanation.certain is (name not in DOUBTFUL)


@pytest.mark.parametrize("name", [name for name, document in SCENARIOS.items() if "allowed_if" in document])
def test_the_remedy_allows(name: str) -> None:
    patched = jsonpatch.apply_patch(copy.deepcopy(SCENARIOS[name]), SCENARIOS[name]["allowed_if"]["patch"])
    after = explain(asked(patched))
    assert [item.decision for item in after.authorization] == ["allowed"] * len(after.authorization)
    assert after.cause is None, after.summary


def needs_an_answer(document: dict[str, Any]) -> bool:
    """Is the cause known only from what S3 says, or from its saying no?"""
    missing_key = explain(document).missing_key_possible and "object" not in document["resource_state"]
    return document["expect"]["effect"] == "not-policy" or missing_key


@pytest.mark.parametrize("name", [name for name, document in SCENARIOS.items() if not needs_an_answer(document)])
def test_as_a_question_the_cause_is_the_same(name: str) -> None:
    expect, answer = SCENARIOS[name]["expect"], explain(SCENARIOS[name])
    question = explain(asked(SCENARIOS[name]))
    assert agrees(question, expect), question.summary
    assert question.certain is answer.certain


def on_the_wire(document: dict[str, Any]) -> dict[str, Any] | None:
    """The scenario with its request as it was on the wire; None: it is no S3 call, or one through an access point."""
    document = copy.deepcopy(document)
    request = document["request"]
    if request.get("operation") is None or (request["bucket"] or "").startswith("arn:"):
        return None
    dns_suffix = "amazonaws.com.cn" if request["region"].startswith("cn-") else "amazonaws.com"
    path = "/" if request["bucket"] is None else f"/{request['bucket']}"
    path += "" if request["key"] is None else f"/{quote(request['key'])}"
    query = urlencode(request["query"], quote_via=quote)
    headers = [["Host", f"s3.{request['region']}.{dns_suffix}"], *map(list, request["headers"].items())]
    request["raw"] = {"method": request["method"], "target": f"{path}?{query}", "headers": headers}
    for member in ("operation", "method", "bucket", "key", "query", "headers"):
        del request[member]
    return document


@pytest.mark.parametrize("name", [name for name, document in SCENARIOS.items() if on_the_wire(document) is not None])
def test_on_the_wire_the_cause_is_the_same(name: str) -> None:
    wire = on_the_wire(SCENARIOS[name])
    assert wire is not None
    declared, seen = explain(SCENARIOS[name]), explain(wire)
    assert (seen.operation, seen.cause, seen.certain) == (declared.operation, declared.cause, declared.certain)


def without_layer(document: dict[str, Any], layer: str) -> dict[str, Any] | None:
    """The scenario with a layer not known rather than given; None: it is not given."""
    document = copy.deepcopy(document)
    policies = document["policies"]
    if layer == "access-point-policy":
        if not policies.get("access_point", {}).get("policy"):
            return None
        policies["access_point"]["policy"] = None
    else:
        member, nothing = PLACES[layer]
        if member not in policies:
            return None
        del policies[member]
        if nothing is not None:
            policies[member] = nothing
    document.setdefault("unknown", []).append(layer)
    return document


def without_key(document: dict[str, Any], key: str) -> dict[str, Any]:
    """The scenario with a condition key not known rather than given or derived."""
    document = copy.deepcopy(document)
    document["request"].get("context", {}).pop(key, None)
    document.setdefault("unknown", []).append(key)
    return document


def keys_of(document: dict[str, Any]) -> list[str]:
    """The condition keys that a scenario gives, and the one in its cause."""
    kind, _, key = (document["expect"].get("element") or "").partition(":")
    named = {key} if kind in ("condition", "variable") else set()
    return sorted(named | set(document["request"].get("context", {})))


def is_right(cause: Cause, document: dict[str, Any]) -> bool:
    """Is it the established cause, or one that blocks besides it when all is known?"""
    places = ("layer", "effect", "action", "policy", "statement")
    found = {place: getattr(cause, place) for place in places}
    expected = (
        {place: option[place] for place in places if place in option} for option in acceptable(document["expect"])
    )
    if any(all(found[place] == value for place, value in option.items()) for option in expected):
        return True
    return any(
        all(found[place] == getattr(other, place) for place in places) for other in explain(document).also_blocking
    )


def is_managed_key(document: dict[str, Any]) -> bool:
    """Is the object encrypted under the AWS managed key?"""
    return (document["resource_state"].get("object") or {}).get("kms_key_alias") == "alias/aws/s3"


def named_first(explanation: Explanation, document: dict[str, Any]) -> bool:
    """Is the true layer among the first two that the explanation names?"""
    named = [explanation.cause] if explanation.cause is not None else []
    named += explanation.candidates
    return any(
        cause.layer == document["expect"]["layer"] and cause.effect == document["expect"]["effect"]
        for cause in named[:2]
    )


UNKNOWN_LAYERS = [
    (name, layer)
    for name, document in SCENARIOS.items()
    for layer in (*PLACES, "access-point-policy")
    if without_layer(document, layer) is not None
]
UNKNOWN_KEYS = [(name, key) for name, document in SCENARIOS.items() for key in keys_of(document)]


@pytest.mark.parametrize(("name", "layer"), UNKNOWN_LAYERS)
def test_an_unknown_layer_never_makes_for_a_certain_wrong_answer(name: str, layer: str) -> None:
    document = without_layer(SCENARIOS[name], layer)
    assert document is not None
    explanation = explain(document)
    if explanation.certain:
        assert explanation.cause is not None, explanation.summary
        right = is_right(explanation.cause, SCENARIOS[name])
        # The policy of the AWS managed key is known to all, though not its statements by name.
        assert right or is_managed_key(SCENARIOS[name]), explanation.summary


@pytest.mark.parametrize(("name", "key"), UNKNOWN_KEYS)
def test_an_unknown_key_never_makes_for_a_certain_wrong_answer(name: str, key: str) -> None:
    explanation = explain(without_key(SCENARIOS[name], key))
    if explanation.certain:
        assert explanation.cause is not None, explanation.summary
        assert is_right(explanation.cause, SCENARIOS[name]), explanation.summary


def test_with_its_layer_unknown_the_cause_is_still_named_first() -> None:
    blind = [
        (name, document)
        for name, layer in UNKNOWN_LAYERS
        if SCENARIOS[name]["expect"]["layer"] == layer and (document := without_layer(SCENARIOS[name], layer))
    ]
    named = [name for name, document in blind if named_first(explain(document), SCENARIOS[name])]
    assert len(named) >= 0.9 * len(blind), sorted({name for name, _ in blind} - set(named))


def test_with_a_key_unknown_the_cause_is_still_named_first() -> None:
    named = [(n, k) for n, k in UNKNOWN_KEYS if named_first(explain(without_key(SCENARIOS[n], k)), SCENARIOS[n])]
    assert len(named) >= 0.9 * len(UNKNOWN_KEYS), sorted(set(UNKNOWN_KEYS) - set(named))


EITHER_GRANTS = {"bucket-policy", "acl"}
"""Where neither grants, the one that is not known is as good a reason as the one that is."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_layer_of_which_nothing_is_given_may_be_unknown(name: str) -> None:
    document = SCENARIOS[name]
    for layer, (member, _) in PLACES.items():
        if member in document["policies"]:
            continue
        explanation = explain({**document, "unknown": [*document.get("unknown", []), layer]})
        if explanation.certain:
            assert explanation.cause is not None, explanation.summary
            assert is_right(explanation.cause, document), explanation.summary
        elif document["expect"]["effect"] != "not-policy" and {layer, document["expect"]["layer"]} != EITHER_GRANTS:
            assert named_first(explanation, document), (layer, explanation.summary)


@pytest.mark.parametrize("other", ["identity", "bucket-policy", "scp", "session-policy"])
def test_with_two_layers_unknown_the_cause_is_still_among_the_first(other: str) -> None:
    blind, named = 0, 0
    for document in SCENARIOS.values():
        layer = document["expect"]["layer"]
        less = without_layer(document, layer) if layer in PLACES and layer != other and "response" in document else None
        if less is None:
            continue
        least = without_layer(less, other) or {**less, "unknown": [*less["unknown"], other]}
        explanation = explain(least)
        blind += 1
        first = [*([explanation.cause] if explanation.cause else []), *explanation.candidates][:2]
        named += layer in [cause.layer for cause in first]
        if explanation.certain:
            assert explanation.cause is not None
            assert is_right(explanation.cause, document) or is_managed_key(document), explanation.summary
    assert blind > 100
    assert named >= 0.9 * blind


TYPES = {
    "identity": "identity-based policy",
    "bucket-policy": "resource-based policy",
    "access-point-policy": "resource-based policy",
    "kms-key-policy": "resource-based policy",
    "acl": "resource-based policy",
    "permissions-boundary": "permissions boundary",
    "session-policy": "session policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "vpc-endpoint-policy": "VPC endpoint policy",
}
"""Layer -> the policy type in S3's message."""


def said_by_s3(document: dict[str, Any], layer: str, effect: str, action: str, resource: str | None) -> str:
    """S3's detailed message. https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html"""
    kind = TYPES[layer]
    where = f' on resource: "{resource}"' if resource is not None else ""
    if action.startswith("kms:"):
        where = " on the resource associated with this ciphertext"
    reason = f"because no {kind} allows the {action} action"
    if effect == "explicit":
        reason = f"with an explicit deny in {'an' if kind.startswith('identity') else 'a'} {kind}"
    return f"User: {document['request']['principal']} is not authorized to perform: {action}{where} {reason}"


def answered(document: dict[str, Any], message: str) -> dict[str, Any]:
    """The scenario with this message in S3's answer. A HEAD has none, so the same is asked with GET."""
    document = copy.deepcopy(document)
    document["response"].pop("body", None)
    document["response"].update(status=403, code="AccessDenied", message=message)
    if document["request"].get("method") == "HEAD":
        document["request"]["method"] = "GET"
    return document


def policy_causes() -> Iterator[str]:
    """Scenarios in which a policy denies an identified caller in one call: where S3 may say more than Access Denied."""
    for name, document in SCENARIOS.items():
        signed = document["request"]["principal"] != "anonymous" and document["request"]["principal"].startswith("arn:")
        if document["expect"]["layer"] in TYPES and signed and document.get("response", {}).get("status") == 403:
            yield name


WITH_MESSAGE = list(policy_causes())


@pytest.mark.parametrize("name", WITH_MESSAGE)
def test_with_the_message_of_s3_the_cause_is_the_same(name: str) -> None:
    expect = SCENARIOS[name]["expect"]
    cause = explain(SCENARIOS[name]).cause
    assert cause is not None
    message = said_by_s3(SCENARIOS[name], expect["layer"], expect["effect"], expect["action"], cause.resource)
    explanation = explain(answered(SCENARIOS[name], message))
    assert agrees(explanation, expect), explanation.summary
    assert explanation.certain
    assert explanation.upstream is not None
    assert explanation.upstream.agrees is True


@pytest.mark.parametrize("name", ["pfx-f02", "prn-f21"])
def test_in_one_account_s3_names_the_identity_policies_though_a_bucket_policy_was_meant(name: str) -> None:
    plain = explain(SCENARIOS[name])
    assert plain.cause is not None
    assert plain.cause.layer == "bucket-policy"
    action, resource = plain.cause.action, plain.cause.resource
    assert action is not None
    explanation = explain(
        answered(SCENARIOS[name], said_by_s3(SCENARIOS[name], "identity", "implicit", action, resource))
    )
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.effect) == ("identity", "implicit")
    assert explanation.certain
    assert not explanation.also_blocking


def claims_against(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Layers and effects that the policies of a scenario do not bear out."""
    layer, effect = document["expect"]["layer"], document["expect"]["effect"]
    if layer not in ("rcp", "acl") and not (layer == "kms-key-policy" and is_managed_key(document)):
        yield layer, "implicit" if effect == "explicit" else "explicit"
    if "::cloudfront:" in document["request"]["principal"]:
        return  # no account of a customer, so no sessions and no SCPs
    if (
        "session" not in document["policies"]
        and layer != "session-policy"
        and ":root" not in document["request"]["principal"]
    ):
        yield "session-policy", "implicit"
    if "scp" not in document["policies"]:
        yield "scp", "explicit"


@pytest.mark.parametrize(
    ("name", "layer", "effect"), [(name, *claim) for name in WITH_MESSAGE for claim in claims_against(SCENARIOS[name])]
)
def test_a_message_that_the_policies_do_not_bear_out_shows_that_they_are_stale(
    name: str, layer: str, effect: str
) -> None:
    document = SCENARIOS[name]
    cause = explain(document).cause
    assert cause is not None
    contradicted = answered(document, said_by_s3(document, layer, effect, document["expect"]["action"], cause.resource))
    explanation = explain(contradicted)
    assert explanation.verdict == "stale-policies", explanation.summary
    assert not explanation.certain
    assert explanation.upstream is not None
    assert explanation.upstream.agrees is False

    blind = without_layer(contradicted, layer)
    if blind is None:
        blind = {**contradicted, "unknown": [layer]}
    explanation = explain(blind)
    assert explanation.verdict == "policies-missing", explanation.summary
    assert not explanation.certain
    assert {candidate.layer for candidate in explanation.candidates} == {layer}
