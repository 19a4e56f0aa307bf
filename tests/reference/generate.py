"""Random questions to both evaluators, biased so that matches, near misses and every operator are common.

What AWS leaves undefined is not asked: a multivalued key without a set operator, `Null` or `IfExists` of an empty set,
an empty string under a set operator, an unparsable value under a negated operator, an Allow with
`NotPrincipal` that lists the caller's account and not the caller, or the reverse.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import strategies as st

from denyproxy.iam.context import RequestContext
from tests.reference.case import Case
from tests.reference.elements import (
    TYPED,
    action_patterns,
    condition_block,
    draw_context,
    not_principal_element,
    principal_element,
    resource_patterns,
)
from tests.reference.operators import condition_holds, moment

OURS, THEIRS = "111122223333", "444455556666"
NAMES = ("alice", "Bob", "dev-x", "o'neil@x.y", "a+b=c,d", "*")
KEYS = ("home/alice/x.txt", "home/Bob/", "a:b/c d", "ü/é?", "*", "", "//x", "${aws:username}", "$", "tmp/dev-x/*")
ACTIONS = {
    "bucket": ("s3:ListBucket", "s3:GetBucketAcl", "s3:PutBucketPolicy"),
    "object": ("s3:GetObject", "s3:PutObject", "s3:GetObjectVersion", "s3:DeleteObject", "s3:PutObjectTagging"),
    "account": ("s3:ListAllMyBuckets",),
    "kms": ("kms:Decrypt", "kms:GenerateDataKey"),
}
SERVICES = ("logging.s3.amazonaws.com", "cloudtrail.amazonaws.com")


def draw_principal(rng: Random) -> dict[str, Any]:
    """A caller of any known type, as in `Case`, without its boundary."""
    kind = rng.choices(
        ("user", "role-session", "service-linked", "federated", "root", "anonymous", "service"),
        (30, 30, 5, 12, 7, 10, 6),
    )[0]
    account = rng.choice((OURS, OURS, THEIRS))
    partition = rng.choice(("aws",) * 12 + ("aws-cn",))
    name, path = rng.choice(NAMES[:-1]), rng.choice(("", "team/", "a/b/"))
    iam, sts = f"arn:{partition}:iam::{account}", f"arn:{partition}:sts::{account}"
    arn: str | None
    issuer: str | None = None
    if kind == "user":
        arn = f"{iam}:user/{path}{name}"
    elif kind == "role-session":
        arn, issuer = f"{sts}:assumed-role/{name}/s1", f"{iam}:role/{path}{name}"
    elif kind == "service-linked":
        kind, role = "role-session", "AWSServiceRoleForX"
        arn, issuer = f"{sts}:assumed-role/{role}/s1", f"{iam}:role/aws-service-role/x.amazonaws.com/{role}"
    elif kind == "federated":
        arn, issuer = f"{sts}:federated-user/{name}", f"{iam}:user/{path}{rng.choice(NAMES[:-1])}"
    elif kind == "root":
        arn = f"{iam}:root"
    else:
        return {
            "type": kind,
            "arn": rng.choice(SERVICES) if kind == "service" else None,
            "account": None,
            "issuer": None,
            "bounded": False,
        }
    return {"type": kind, "arn": arn, "account": account, "issuer": issuer, "bounded": False}


class Question:
    """The facts that the policies of one case are drawn around."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.principal = draw_principal(rng)
        kind = rng.choices(("bucket", "object", "access-point", "account", "kms"), (15, 43, 20, 2, 20))[0]
        self.kind = kind
        partition = (self.principal["arn"] or "arn:aws:").split(":")[1] if self.principal["account"] else "aws"
        caller = self.principal["account"]
        foreign = rng.random() < 0.25
        self.owner = (THEIRS if caller == OURS else OURS) if foreign or caller is None else caller
        bucket, key = rng.choice(("data", "data-2", "logs.x")), rng.choice(KEYS)
        self.bucket_resource = f"arn:{partition}:s3:::{bucket}"
        self.action = rng.choice(ACTIONS["object" if kind == "access-point" else kind])
        if kind == "object":
            self.resource = f"{self.bucket_resource}/{key}"
        elif kind == "access-point":
            self.bucket_resource += f"/{key}"
            self.resource = f"arn:{partition}:s3:eu-west-1:{self.owner}:accesspoint/ap/object/{key}"
        elif kind == "account":
            self.resource, self.owner = rng.choice(("*", f"arn:{partition}:s3:::*")), caller or OURS
        elif kind == "kms":
            self.resource = f"arn:{partition}:kms:eu-west-1:{self.owner}:key/1234-ab"
        else:
            self.resource = self.bucket_resource
        self.same_account = self.owner == caller
        self.named = 0
        self.exempt_with_boundary = False
        self.context = draw_context(rng, self.principal)
        self.facts = RequestContext({key.lower(): tuple(values) for key, values in self.context.items()})

    def statement(self, layer: str, effect: str, *, near: bool, resource: str, version: str) -> dict[str, Any]:
        """A statement meant to apply to the question, or (`near`) to fail in one element."""
        rng = self.rng
        failing = rng.choice(("action", "resource", "condition", "principal")) if near else None
        names_principals = layer in ("layers", "vpc_endpoint")
        if failing == "principal" and not names_principals:
            failing = "condition"
        result: dict[str, Any] = {}
        if rng.random() < 0.3:
            self.named += 1
            result["Sid"] = f"S{self.named}"
        result["Effect"] = effect
        if names_principals:
            listed = failing != "principal"
            if rng.random() < 0.12 and not self.exempt_with_boundary:
                halves = effect == "Deny" and self.principal["type"] in ("user", "role-session")
                result["NotPrincipal"] = not_principal_element(rng, self.principal, listed=not listed, halves=halves)
            else:
                result["Principal"] = principal_element(rng, self.principal, hit=listed)
        elif layer == "rcp":
            result["Principal"] = rng.choice(("*", {"AWS": "*"}))
        inverted = rng.random() < 0.15 and layer != "rcp"
        actions = action_patterns(rng, self.action, hit=(failing != "action") is not inverted)
        if layer == "rcp":
            actions = [pattern if pattern != "*" else self.action.split(":")[0] + ":*" for pattern in actions]
        result["NotAction" if inverted else "Action"] = self.one_or_many(actions)
        inverted = rng.random() < 0.15
        patterns = resource_patterns(rng, resource, self.facts, version, hit=(failing != "resource") is not inverted)
        result["NotResource" if inverted else "Resource"] = self.one_or_many(patterns)
        if failing == "condition" or rng.random() < 0.45:
            result["Condition"] = self.condition(version, holds=failing != "condition")
        return result

    def condition(self, version: str, *, holds: bool) -> dict[str, Any]:
        """A condition block; after some attempts with the wanted result, else with any."""
        block: dict[str, Any] = {}
        for _ in range(12):
            block = condition_block(self.rng, self.facts)
            if holds == all(
                condition_holds(operator, key, written, version, self.facts)
                for operator, keys in block.items()
                for key, written in keys.items()
            ):
                break
        return block

    def one_or_many(self, values: list[str]) -> Any:
        """A single value may stand without a list."""
        return values[0] if len(values) == 1 and self.rng.random() < 0.5 else values

    def documents(self, layer: str, resource: str | None = None) -> list[Any]:
        """The policies of one layer, in one of four moods: grants, near miss, denies, all but denies."""
        rng = self.rng
        version = rng.choice(("2012-10-17",) * 6 + ("2008-10-17", None))
        if layer == "rcp":
            version = "2012-10-17"
        moods: tuple[str, ...] = ("grant", "miss", "deny", "spared")
        weights = (60, 13, 7, 20) if layer in ("identity", "layers") else (67, 11, 7, 15)
        mood = rng.choices(moods, weights)[0]
        if layer == "rcp":
            mood = rng.choices(("deny", "spared"), (25, 75))[0]
        effects = [("Allow", mood == "miss")] if layer != "rcp" else []
        effects += [("Allow", True)] * rng.choice((0, 0, 1)) if layer != "rcp" else []
        effects += [("Deny", mood == "spared")] if mood in ("deny", "spared") else []
        rng.shuffle(effects)
        statements = [
            self.statement(
                layer, effect, near=near, resource=resource or self.resource, version=version or "2008-10-17"
            )
            for effect, near in effects
        ]
        split = rng.randrange(len(statements) + 1) if layer not in ("layers", "vpc_endpoint", "boundary") else 0
        documents = []
        for part in (statements[:split], statements[split:]):
            if part:
                members = part[0] if len(part) == 1 and rng.random() < 0.2 else part
                documents.append(({"Version": version} if version else {}) | {"Statement": members})
        return documents

    def layer(self, name: str, resource: str | None = None) -> dict[str, Any]:
        """A resource-based layer."""
        rng = self.rng
        other = rng.choice(((), (), (), (), (), (), (), ("account",), ("direct",), ("issuer", "account")))
        if name != "bucket-policy" or self.principal["type"] in ("anonymous", "service"):
            other = rng.choice(((), (), (), (), ("direct",)) if name == "bucket-policy" else ((),))
        return {
            "layer": name,
            "policies": self.documents("layers", resource) if rng.random() < 0.7 else [],
            "resource": resource,
            "deny_only": name == "bucket-policy" and rng.random() < 0.07,
            "other_grant": list(other),
        }

    def case(self) -> Case:
        """All layers around the question."""
        rng, principal = self.rng, self.principal
        kind = principal["type"]
        has_identity = kind in ("user", "role-session", "federated")
        linked = ":role/aws-service-role/" in (principal["issuer"] or "")
        bounded = has_identity and rng.random() < 0.35
        principal["bounded"] = bounded
        self.exempt_with_boundary = bounded and linked
        passed = rng.random() < {"role-session": 0.3, "federated": 0.8}.get(kind, 0)
        limited = kind not in ("anonymous", "service") and rng.random() < 0.35
        names = {
            "access-point": (("access-point-policy", None), ("bucket-policy", self.bucket_resource)),
            "kms": (("kms-key-policy", None),),
            "account": (),
        }.get(self.kind, (("bucket-policy", None),))
        return {
            "principal": principal,
            "action": self.action,
            "resource": self.resource,
            "context": self.context,
            "same_account": self.same_account,
            "identity": self.documents("identity") if has_identity and rng.random() < 0.9 else [],
            "boundary": self.documents("boundary") if bounded else None,
            "session": self.documents("session") if passed else None,
            "scp": [self.documents("scp") for _ in range(rng.choice((1, 2, 3)))] if limited else None,
            "rcp": [self.documents("rcp") for _ in range(rng.choice((1, 2)))] if rng.random() < 0.3 else None,
            "vpc_endpoint": self.documents("vpc_endpoint") if rng.random() < 0.2 and kind != "service" else None,
            "layers": [self.layer(name, resource) for name, resource in names],
            "must_delegate": self.kind == "kms",
        }


def generate(rng: Random) -> Case:
    """A fully known case."""
    return Question(rng).case()


def hide(rng: Random, case: Case) -> Case:
    """The same case with some of its facts hidden from the product."""
    used = sorted({key.lower() for key in case["context"]} | set(_condition_keys(case)))
    layers: dict[str, int] = {}
    for name in ("identity", "boundary", "session", "vpc_endpoint"):
        if rng.random() < 0.15:
            layers[name] = rng.choice((0, len(case[name] or [])))
    for name in ("scp", "rcp"):
        if rng.random() < 0.1:
            layers[name] = 0
        for index, level in enumerate(case[name] or []):
            if rng.random() < 0.15:
                layers[f"{name}:{index}"] = rng.choice((0, len(level)))
    for index, layer in enumerate(case["layers"]):
        if rng.random() < 0.15:
            layers[f"layers:{index}"] = rng.choice((0, len(layer["policies"])))
    kind, issuer = case["principal"]["type"], case["principal"]["issuer"] or ""
    session = kind in ("role-session", "federated")
    # Nobody holds the credentials of a service-linked role, so an unknown caller is none.
    principal = rng.random() < 0.05 and ":role/aws-service-role/" not in issuer
    if principal:
        layers |= dict.fromkeys(("identity", "boundary", "session"), 0)
    return case | {
        "hidden": {
            "keys": rng.sample(used, min(len(used), rng.choice((0, 1, 1, 2, 3, 8)))),
            "margins": _margins(rng, case["context"]),
            "open_world": rng.random() < 0.15,
            "layers": layers,
            "same_account": rng.random() < 0.07,
            "role": session and rng.random() < 0.07,
            "session": kind == "role-session" and rng.random() < 0.07,
            "bounded": rng.random() < 0.07,
            "principal": principal,
        }
    }


def _margins(rng: Random, context: dict[str, list[str]]) -> dict[str, tuple[str, float]]:
    """Numbers and dates that are shown to within a margin."""
    margins: dict[str, tuple[str, float]] = {}
    for kind in ("Numeric", "Date"):
        for key in TYPED[kind][0]:
            if key in context and rng.random() < 0.1:
                off, spare = rng.choice((-1, 0, 1, 5)), rng.choice((0, 0, 3))
                margins[key.lower()] = (str(moment(context[key][0]) + off), abs(off) + spare)
    return margins


def _condition_keys(value: Any) -> list[str]:
    """Every condition key that occurs in the documents of a case, in lower case."""
    if isinstance(value, list):
        return [key for member in value for key in _condition_keys(member)]
    if not isinstance(value, dict):
        return []
    found = [key.lower() for keys in value.get("Condition", {}).values() for key in keys]
    return found + [key for member in value.values() for key in _condition_keys(member)]


cases: st.SearchStrategy[Case] = st.randoms(use_true_random=False).map(generate)
"""Fully known cases under hypothesis."""
