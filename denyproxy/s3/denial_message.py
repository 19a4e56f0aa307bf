"""S3's own words for a denial: `User: ... is not authorized to perform: ...`, in every form that is known.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_MESSAGE = 16 * 1024
"""Characters; longer messages are cut."""

_POLICY_TYPES: dict[str, tuple[str, ...]] = {
    "identity-based policy": ("identity",),
    "resource-based policy": ("bucket-policy", "access-point-policy"),
    "permissions boundary": ("permissions-boundary",),
    "session policy": ("session-policy",),
    "service control policy": ("scp",),
    "resource control policy": ("rcp",),
    "VPC endpoint policy": ("vpc-endpoint-policy",),
    "role trust policy": ("resource-policy",),
}
_TYPE = "|".join(re.escape(name) for name in _POLICY_TYPES)
_HEAD = re.compile(r"is not authorized to perform: (?P<action>[A-Za-z0-9-]+:[A-Za-z0-9*]+)")
_END_OF_WORD = re.compile(r'[\s"]')
_REASON = re.compile(
    rf" because no (?P<implicit>{_TYPE}) allows the \S+ action"
    rf"| with an explicit deny in (?:an?|the) (?P<explicit>{_TYPE})"
    r"(?:(?:, with policy ARN)?:\s*(?P<policy_arn>arn:\S*))?"
    r"| because public (?:ACLs|policies) are prevented by the (?P<setting>BlockPublicAcls|BlockPublicPolicy) setting"
    r"| because this bucket has (?P<sse_c>blocked upload requests that specify Server Side Encryption with Customer"
    r" provided keys)"
    r"| because the (?P<kms>resource does not exist in this Region, no resource-based policies allow access, or a"
    r" resource-based policy explicitly denies access)"
)
_RESOURCE = re.compile(
    r' on (?:the )?resource:? ?"(?P<quoted>.*)"'
    r"| on (?:the )?resource: (?P<bare>arn:\S+)"
    r'| on "(?P<unnamed>.*)"'
    r"| on (?:this resource|the resource associated with this ciphertext|resource)",
    re.DOTALL,
)
_CUT_RESOURCE = re.compile(r' on (?:the )?resource:? ?"(?P<quoted>[^"]*)$', re.DOTALL)


@dataclass(frozen=True, slots=True)
class DenialMessage:
    """What a denial message says. None where it does not."""

    principal: str | None
    """ARN as S3 saw it, or `anonymous`."""
    action: str
    resource: str | None
    """ARN, the key literally."""
    effect: str | None
    """explicit, implicit or not-policy; None: the message was cut off before the reason."""
    policy_type: str | None = None
    """In AWS's words, such as `identity-based policy`."""
    layers: tuple[str, ...] = ()
    """Layers that these words may stand for, most likely first."""
    policy_arn: str | None = None
    """Ends early if the message was cut off."""
    setting: str | None = None
    """BlockPublicAcls or BlockPublicPolicy."""
    blocks_sse_c: bool = False
    kms_catch_all: bool = False
    """KMS does not tell whether the key is missing or its policy denies."""


def parse_denial_message(message: str | None) -> DenialMessage | None:
    """Parse a message; None: it is not of this form.

    A quoted key may contain quotes and even the words of a reason: the last reason counts. Never raises."""
    if not message or "authorized" not in message:
        return None
    return _read(message[:MAX_MESSAGE])


@lru_cache(maxsize=4)
def _read(message: str) -> DenialMessage | None:
    """Several who look at one denial ask for the same message."""
    found = _parse(message)
    # Documents and terminals wrap the line; keys keep their white space where the message was not wrapped.
    return found if found is not None and found.effect is not None else _parse(" ".join(message.split())) or found


def _parse(message: str) -> DenialMessage | None:
    head = _HEAD.search(message)
    if head is None:
        return None
    principal, action = _principal(message[: head.start()]), head["action"]
    rest = message[head.end() :]
    for reason in reversed(tuple(_REASON.finditer(rest))):
        place = rest[: reason.start()]
        resource = _RESOURCE.fullmatch(place) if place.strip() else None
        if resource is not None or not place.strip():
            return _denial(principal, action, resource, reason)
    cut = _RESOURCE.match(rest) or _CUT_RESOURCE.match(rest)
    return _denial(principal, action, cut, None) if cut is not None or not rest.strip(" .") else None


def _principal(before: str) -> str | None:
    """Whom the words before `is not authorized` name last."""
    word = _END_OF_WORD.split(before.removesuffix(" "))[-1]
    at = word.find("arn:")
    if 0 <= at < len(word) - len("arn:"):
        return word[at:]
    return "anonymous" if word.endswith("anonymous") else None


def _denial(
    principal: str | None, action: str, resource: re.Match[str] | None, reason: re.Match[str] | None
) -> DenialMessage:
    named = resource.groupdict() if resource is not None else {}
    found = next((text for text in named.values() if text), None)
    if reason is None:
        return DenialMessage(principal, action, found, None)
    effect = "implicit" if reason["implicit"] else "explicit" if reason["explicit"] else "not-policy"
    policy_type = reason["implicit"] or reason["explicit"]
    if reason["kms"]:
        effect = "implicit"
    return DenialMessage(
        principal=principal,
        action=action,
        resource=found,
        effect=effect,
        policy_type=policy_type,
        layers=_layers(action, policy_type, effect, reason),
        policy_arn=reason["policy_arn"].rstrip(".") if reason["policy_arn"] else None,
        setting=reason["setting"],
        blocks_sse_c=reason["sse_c"] is not None,
        kms_catch_all=reason["kms"] is not None,
    )


def _layers(action: str, policy_type: str | None, effect: str, reason: re.Match[str]) -> tuple[str, ...]:
    if reason["setting"]:
        return ("block-public-access",)
    if reason["sse_c"]:
        return ("sse-c-blocked",)
    if action.startswith("kms:") and (reason["kms"] or policy_type == "resource-based policy"):
        return ("kms-key-policy",)
    layers = _POLICY_TYPES.get(policy_type or "", ())
    if policy_type != "resource-based policy":
        return layers
    # RestrictPublicBuckets speaks of an explicit deny, IgnorePublicAcls and foreign-owned objects of none that allows.
    return (*layers, "block-public-access") if effect == "explicit" else (*layers, "acl", "block-public-access")
