"""Patches applied, questions asked again, and an independent evaluator's answers to them."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import jsonpatch
from jsonschema import Draft202012Validator

from denyproxy.explain.evidence import Answers, Needs
from denyproxy.explain.explainer import Explained, Explainer
from denyproxy.explain.model import Fix
from denyproxy.explain.scenario import Scenario
from denyproxy.iam.layers import Decision
from denyproxy.iam.truth import Truth
from denyproxy.s3.actions import ACTIONS, resource_type
from denyproxy.s3.authorization import Authorization
from denyproxy.s3.caller import identify_caller
from denyproxy.s3.operation import identify_call
from denyproxy.s3.request import Role
from denyproxy.service_model import s3_operations
from tests.explain.test_scenarios import NOW, asked
from tests.reference.evaluator import decide

Document = dict[str, Any]

_TESTS = Path(__file__).parent.parent
SCENARIOS: dict[str, Document] = {
    path.stem: json.loads(path.read_text())
    for folder in ("scenarios", "scenarios_found")
    for path in sorted((_TESTS / folder).glob("*.json"))
}
FORTY = [name for name in SCENARIOS if (_TESTS / "scenarios" / f"{name}.json").exists()]
SCHEMA = Draft202012Validator(json.loads(files("denyproxy").joinpath("schema/scenario.schema.json").read_bytes()))
EXPLAINER = Explainer(s3_operations())


def explained(document: Document) -> Explained:
    """The explanation of a scenario, its fixes referring to the scenario itself."""
    scenario = Scenario.validate_document(document)
    found = EXPLAINER(scenario.denied_call(NOW), scenario.snapshot(), document)
    assert found is not None
    return found


def fixes_of(document: Document) -> tuple[Fix, ...]:
    return explained(document).explanation.fixes


def patched(document: Document, fix: Fix) -> Document:
    """The scenario with the patch applied by a library that knows nothing of ours."""
    after: Document = jsonpatch.apply_patch(copy.deepcopy(document), copy.deepcopy(list(fix.patch)))
    assert [error.message for error in SCHEMA.iter_errors(after)] == []
    return after


def answers(document: Document) -> Answers:
    """What the layers say on the scenario as a question."""
    scenario = Scenario.validate_document(asked(document))
    call, snapshot = scenario.denied_call(NOW), scenario.snapshot()
    request = identify_call(call, snapshot, table=s3_operations())
    return Needs(call, request, identify_caller(call, snapshot), snapshot).answers()


def reference(authorization: Authorization) -> Decision | None:
    """The independent evaluator's decision, in whose reach S3's own layers (ACL, Block Public Access) are not."""
    if any(refusal.truth is not Truth.NO for refusal in authorization.refusals):
        return authorization.decision
    decision = decide(authorization.evaluation.request, authorization.policies)
    if decision is Decision.IMPLICIT_DENY and authorization.requirement.role is Role.DENY_ONLY:
        return Decision.ALLOWED
    return decision


def allowed(document: Document, *, missing_key: bool = False) -> bool:
    """Does the independent evaluator allow every authorization request, and does no gate of S3's refuse?

    `missing_key`: the key may be missing, so that listing has to be allowed too."""
    found = answers(document)
    asked_of_listing = found.missing_for_sure or missing_key
    listing = [found.missing_key] if found.missing_key is not None and asked_of_listing else []
    asked_for = [*found.authorizations, *listing]
    refused = any(gate.truth is Truth.YES for gate in found.refusals)
    return bool(asked_for) and not refused and all(reference(item) is Decision.ALLOWED for item in asked_for)


_CALLERS_OWN = ("identity", "permissions_boundary", "session")
_OTHERS = (
    ("arn:aws:iam::{account}:user/neighbour", None),
    ("arn:aws:sts::{account}:assumed-role/neighbour/s", "arn:aws:iam::{account}:role/neighbour"),
)
_KMS = ("kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt", "kms:DescribeKey", "kms:ReEncryptFrom")
_IAM = ("iam:PassRole", "iam:GetRole", "iam:DeleteRole")


def _kind(action: str) -> str:
    return resource_type(action) or action.partition(":")[0]


def neighbours(
    before: Document, after: Document, action: str, resource: str, seed: str
) -> list[tuple[str, Document, Document]]:
    """Twenty questions near the one that a fix is about, before and after it: other keys, actions, principals and
    accounts. Of another principal the policies on the caller's side are its own, and so not those that changed."""
    rng = Random(seed)
    request = before["request"]
    account = request.get("principal_account") or "111122223333"
    questions: list[tuple[str, str, dict[str, Any]]] = []
    elsewhere = _other_resources(resource, rng) if resource_type(action) in ("object", "bucket") else []
    questions.extend((action, other, {}) for other in elsewhere)
    same_kind = [name for name in (*ACTIONS, *_KMS, *_IAM) if _kind(name) == _kind(action)]
    others = [name for name in same_kind if name.lower() != action.lower()]
    for name in rng.sample(others, min(8, len(others))):
        questions.append((name, resource, {}))
    for owner in (account, "999900001111"):
        for arn, role in _OTHERS:
            principal = {
                "principal": arn.format(account=owner),
                "principal_role": role and role.format(account=owner),
                "principal_account": owner,
            }
            questions.append((action, resource, principal))
    questions.append((action, resource, {"principal": "anonymous", "principal_role": None, "principal_account": None}))
    # Of some services no other action is at hand.
    places = elsewhere or [resource if others else f"{resource}-other"]
    while len(questions) < 20:
        questions.append((rng.choice(others or [action]), rng.choice(places), {}))
    return [
        (
            f"{name} on {place} {change}",
            _question(before, before, name, place, change),
            _question(after, before, name, place, change),
        )
        for name, place, change in questions[:20]
    ]


def _other_resources(resource: str, rng: Random) -> list[str]:
    stem, _, last = resource.rpartition("/")
    found = [f"{resource}x", f"{resource}/deeper", resource[:-1], resource + "*"]
    if stem.count(":") >= 5:
        found += [f"{stem}/other{rng.randrange(100)}", f"{stem}x/{last}", stem.partition("/")[0] + "/elsewhere"]
    return found


def _question(document: Document, original: Document, action: str, resource: str, principal: Document) -> Document:
    request = {
        name: value
        for name, value in document["request"].items()
        if name
        in (
            "principal",
            "principal_role",
            "principal_account",
            "resource_account",
            "context",
            "region",
            "headers",
            "query",
            "time",
        )
    }
    policies = dict(document["policies"])
    if principal:
        for member in _CALLERS_OWN:
            policies.pop(member, None)
            if member in original["policies"]:
                policies[member] = original["policies"][member]
        if principal["principal_account"] != document["request"].get("principal_account"):
            policies.pop("scp", None)
    bucket = document["request"].get("bucket")
    return {
        **{name: value for name, value in document.items() if name in ("resource_state", "unknown")},
        "request": {**request, **principal, "bucket": bucket, "action": action, "resource": resource},
        "policies": policies,
    }


def decided(question: Document) -> Decision | None:
    (authorization,) = answers(question).authorizations
    return reference(authorization)
