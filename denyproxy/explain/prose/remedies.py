"""The prose of fixes: what to do, imperative, in AWS's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from denyproxy.explain.finding import Finding
from denyproxy.explain.prose.near_misses import place, short
from denyproxy.iam.condition import Condition
from denyproxy.iam.principal import Principal, PrincipalType

_SHOWN = 160
"""Longest value that a sentence quotes."""


def shown(text: str | None, limit: int = _SHOWN) -> str:
    """A value, cut to what a sentence bears."""
    return short(text, limit)


def listed(items: Sequence[str], most: int = 3) -> str:
    """`a, b and 2 more`."""
    known = list(dict.fromkeys(items))
    if len(known) > most:
        return f"{', '.join(map(shown, known[:most]))} and {len(known) - most} more"
    *others, last = map(shown, known or ("",))
    return f"{', '.join(others)} and {last}" if others else last


def caller_in_words(principal: Principal, unsigned: str = "everyone") -> str:
    """`role app`, `user alice`; for those who did not sign as given."""
    arn = principal.issuer if principal.type is PrincipalType.ROLE_SESSION else None
    arn = arn or principal.arn
    if principal.type is PrincipalType.ANONYMOUS or arn is None:
        return unsigned
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "root":
        return f"the root user of account {principal.account}"
    if kind == "assumed-role":
        return f"role {name.partition('/')[0]}"
    return f"{kind} {name}" if name else arn


# Policies


def new_policy(layer: str) -> str:
    """Where there is none that could be changed."""
    kinds = {"session-policy": "a session policy", "scp": "another service control policy of that level"}
    return kinds.get(layer, "a new inline policy")


def grant(
    actions: Sequence[str], resources: Sequence[str], policy: str, to: str | None, limits: Mapping[str, str | None]
) -> str:
    """Add an Allow. `limits`: condition keys that it demands, with their values; None: that there is none."""
    whom = f" to {to}" if to is not None else ""
    return f"allow {listed(actions)} on {listed(resources)}{limited(limits)}{whom} in {policy}"


def all_its_keys(prefix: str) -> str:
    """Who may list a bucket may list all of it, whatever was asked for."""
    return f" (of all its keys: a condition on s3:prefix can limit it to {shown(prefix)})"


def left_out(lost: Sequence[Condition]) -> str:
    """Conditions of the statement that nearly allows, which the new one has in no form."""
    told = [f"{item.operator_text} {item.key} {shown(', '.join(item.values))}" for item in lost]
    return f" (leaving out {'the condition' if len(told) == 1 else 'the conditions'} {listed(told)})" if told else ""


BLOCKED_POLICY = "Block Public Access (BlockPublicPolicy) refuses such a policy while it is on"
THROUGH_ACCESS_POINT = ", for requests through the access point alone"


def source_condition(block: Mapping[str, Mapping[str, str]]) -> str:
    """A service acts for many customers: what limits it to this one's request."""
    for key, value in (pair for keys in block.values() for pair in keys.items()):
        return f", where {key} is {shown(value)}"
    return (
        " (a condition on aws:SourceArn or aws:SourceAccount belongs there too, lest the service do it for others; "
        "the request shows neither)"
    )


def missing_key_grant(words: str) -> str:
    """The Allow that turns the 403 for a missing key into a 404."""
    return f"{words}, so that S3 answers 404: the key is missing, and no read is forbidden"


def public_grant(words: str, what: str) -> str:
    """For a caller who is nobody in particular."""
    return f"only if the {what} is meant to be public: {words}"


def wider(element: str, value: str, statement: str, policy: str | None) -> str:
    """What would do as well, and let through more. `policy`: where it is another one."""
    where = f" in {policy}" if policy is not None else ""
    return f" (or add {shown(value)} to the {element} of {place(statement)}{where}, for all that it covers)"


def extend(element: str, value: str, statement: str, policy: str) -> str:
    """Add a value to an element of a statement."""
    return f"add {shown(value)} to the {element} of {place(statement)} in {policy}"


def correct(element: str, old: str, new: str, statement: str, policy: str) -> str:
    """Write an element of a statement as it was meant."""
    return f"in {place(statement)} of {policy} write {element} {shown(new)} instead of {shown(old)}"


def correct_operator(key: str, old: str, new: str, statement: str, policy: str) -> str:
    """Write a condition with the operator that was meant."""
    return f"in {place(statement)} of {policy} write {new} instead of {old} for {key}"


def as_meant(words: str) -> str:
    """A correction that has further effects."""
    return f"{words}, which was plainly meant and lets through all that the statement says"


def set_version(policy: str) -> str:
    """Policy variables need the newer version."""
    return f'set "Version": "2012-10-17" in {policy}, so that policy variables are replaced in all its statements'


def exempt(
    actions: Sequence[str],
    resources: Sequence[str],
    who: str | None,
    statement: str,
    policy: str,
    limits: Mapping[str, str | None],
) -> str:
    """Narrow a Deny. `limits`: condition keys that the requests have that are let through, with their values."""
    whom = f" by {who}" if who is not None else ""
    what = f"{listed(actions)} on {listed(resources)}{limited(limits)}"
    return f"exempt {what}{whom} from the Deny of {place(statement)} in {policy}"


_LIMITS = {
    "s3:prefix": "with prefix",
    "aws:sourcevpce": "through VPC endpoint",
    "aws:sourcevpc": "from VPC",
    "aws:sourceip": "from address",
}


def limited(limits: Mapping[str, str | None]) -> str:
    """` with prefix finance/ and without s3:delimiter`."""
    found = [
        f"without {key}" if value is None else f"{_LIMITS.get(key.lower(), f'with {key}')} {shown(value) or '(empty)'}"
        for key, value in limits.items()
        if key.lower() != "aws:principalarn"
    ]
    return f" {' and '.join(found)}" if found else ""


def for_all_sessions(keys: Sequence[str]) -> str:
    """A policy that was to tell the sessions of a role apart, and now cannot."""
    return f" (for all sessions of the role: {listed(keys)} does not limit it)"


def freed_whole(resources: Sequence[str]) -> str:
    """The Deny cannot be narrowed to a resource."""
    return f" (all of it: no statement can leave out {listed(resources)} alone)"


def named_today(patterns: Sequence[str]) -> str:
    """Actions in the place of a pattern."""
    if not patterns:
        return ""
    return f" (what else {listed(patterns)} covers is then denied by name: actions that AWS adds later are not)"


def root_may(account: str | None) -> str:
    """A bucket policy cannot shut out the root user from itself."""
    whose = f"account {account}" if account is not None else "the bucket's account"
    return f" (the root user of {whose} can replace the policy whatever it says)"


def closed_too(action: str, account: str | None) -> str:
    """A Deny for all actions keeps from its own correction whom it does not spare."""
    whose = f"account {account}" if account is not None else "the bucket's account"
    return f" (which denies {action} too: whom it spares, or the root user of {whose}, can change it)"


def by_principal_arn(statement: str, policy: str, arns: Sequence[str]) -> str:
    """NotPrincipal, or aws:SourceArn, where aws:PrincipalArn was meant."""
    return f"let {place(statement)} of {policy} spare {listed(arns)} by ArnNotEquals aws:PrincipalArn"


def only_if_present(key: str, statement: str, policy: str) -> str:
    """ForAllValues is true where the key is absent."""
    return f'add Null {key} "false" to {place(statement)} of {policy}: without {key} it applies to every request'


def other_policy(policy: str, what: str) -> str:
    """AWS's own policies cannot be changed."""
    return f"{policy} is managed by AWS and cannot be changed: attach another one that {what}"


def quarantined(policy: str) -> str:
    """AWS's own description of it: do not remove it, follow the support case."""
    return (
        f"replace the caller's access keys and see what was done with them: AWS attaches {policy} where credentials "
        "have been exposed, and asks to keep it until its support case is settled"
    )


# Whole fixes


NOT_TRIED = "not tried: no patch of policies or request can say it"
NO_SCENARIO = "not tried: this call cannot be written as a scenario to try it on"


def not_tried(words: str) -> str:
    """A part that the trial of the others knows nothing of."""
    return f"not tried, as no patch can say it: {words}"


def summary_of(parts: Sequence[tuple[str, str]]) -> str:
    """(owner, words) of each part, as one sentence; the owners are named where there are several."""
    parts = list(dict.fromkeys(parts))
    owners = {owner for owner, _ in parts}
    if len(owners) == 1:
        words = "; and ".join(words for _, words in parts)
    else:
        words = "; and ".join(f"{owner}: {words}" for owner, words in parts)
    return f"{words[:1].upper()}{words[1:]}."


def not_known(layers: Sequence[str]) -> str:
    """Layers that may deny as well."""
    return f"not known, and may deny as well: {', '.join(dict.fromkeys(layers))}"


def more_keys(count: int) -> str:
    """Keys of a DeleteObjects that a fix leaves out."""
    return f"{count} more keys of this request were denied, for which the like would have to be done"


def label(finding: Finding) -> str:
    """The statement of a finding."""
    return finding.statement or "?"
