"""The prose of fixes: what to do, imperative, in AWS's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from denyproxy.explain.findings import Finding
from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth

_SHOWN = 160
"""Longest value that a sentence quotes."""


def shown(text: str | None, limit: int = _SHOWN) -> str:
    """A value, cut to what a sentence bears."""
    text = text or ""
    return text if len(text) <= limit else text[: limit - 3] + "..."


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


def public_grant(words: str) -> str:
    """For a caller who is nobody in particular."""
    return f"only if the object is meant to be public: {words}"


def wider(element: str, value: str, statement: str, policy: str | None) -> str:
    """What would do as well, and let through more. `policy`: where it is another one."""
    where = f" in {policy}" if policy is not None else ""
    return f" (or add {shown(value)} to the {element} of statement {statement}{where}, for all that it covers)"


def extend(element: str, value: str, statement: str, policy: str) -> str:
    """Add a value to an element of a statement."""
    return f"add {shown(value)} to the {element} of statement {statement} in {policy}"


def correct(element: str, old: str, new: str, statement: str, policy: str) -> str:
    """Write an element of a statement as it was meant."""
    return f"in statement {statement} of {policy} write {element} {shown(new)} instead of {shown(old)}"


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
    return f"exempt {what}{whom} from the Deny of statement {statement} in {policy}"


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
    return f" (the root user of account {account} can replace the policy whatever it says)"


def by_principal_arn(statement: str, policy: str, arns: Sequence[str]) -> str:
    """NotPrincipal, or aws:SourceArn, where aws:PrincipalArn was meant."""
    return f"let statement {statement} of {policy} spare {listed(arns)} by ArnNotEquals aws:PrincipalArn"


def only_if_present(key: str, statement: str, policy: str) -> str:
    """ForAllValues is true where the key is absent."""
    return f'add Null {key} "false" to statement {statement} of {policy}: without {key} it applies to every request'


def other_policy(policy: str, what: str) -> str:
    """AWS's own policies cannot be changed."""
    return f"{policy} is managed by AWS and cannot be changed: attach another one that {what}"


# The request and its surroundings


def field_changes(changes: Sequence[tuple[str, str | None, bool]], *, presigned: bool = False) -> str:
    """(name, value or None to leave it out, is it a query parameter?). `presigned`: the URL is signed."""
    left_out = [name for name, value, _ in changes if value is None]
    said = [_field_change(name, value, query) for name, value, query in changes if value is not None]
    if presigned:
        carried = " and ".join(f"{name}={shown(value)}" for name, value, _ in changes if value is not None)
        parts = [f"with {carried} in its query"] if carried else []
        parts += [f"without {listed(left_out)}"] if left_out else []
        return f"sign a new URL {' and '.join(parts)}"
    return " and ".join([*said, *([f"leave out {listed(left_out)}"] if left_out else [])])


def _field_change(name: str, value: str | None, query: bool) -> str:
    if query:
        return f"send the query parameter {name}={value}" + ("" if value else " (empty)")
    return f"send {name}: {shown(value)}"


def field_pattern(name: str, condition: Condition, statement: str) -> str:
    """A value that the policy knows by a pattern only."""
    values = shown(", ".join(condition.values))
    return f"send {name} with a value that statement {statement} accepts ({condition.operator_text} {values})"


_CREATE_IN = (
    "create the bucket in a region that statement {statement} lets through ({operator} {values}), such as {value}"
)

_SURROUNDINGS: Mapping[str, str] = {
    "aws:securetransport": "send the request over TLS: use an https:// endpoint",
    "s3:tlsversion": "connect with TLS {value} or later",
    "aws:multifactorauthpresent": "use session credentials that were obtained with MFA "
    "(aws sts get-session-token --serial-number ... --token-code ...)",
    "aws:multifactorauthage": "sign in with MFA again (aws sts get-session-token --serial-number ... --token-code ...)",
    "aws:tokenissuetime": "get new session credentials: those issued before {value} are revoked",
    "aws:sourcevpce": "send the request through the VPC endpoint {any}",
    "aws:sourcevpc": "send the request from the VPC {any}, through its endpoint for S3",
    "aws:vpcsourceip": "send the request from an address that statement {statement} {lists} ({values})",
    "aws:sourceip": "send the request from an address that statement {statement} {lists} ({values})",
    "s3:authtype": "use {auth}",
    "s3:signatureversion": "sign the request with {value}",
    "s3:signatureage": "sign the request anew: statement {statement} finds its signature too old",
    "s3:x-amz-content-sha256": "sign the payload too: statement {statement} refuses this x-amz-content-sha256",
    "s3:dataaccesspointarn": "send the request through the access point {any}",
    "s3:dataaccesspointaccount": "send the request through an access point of account {any}",
    "s3:accesspointnetworkorigin": "send the request through an access point with network origin {any}",
    "aws:requestedregion": _CREATE_IN,
    "s3:locationconstraint": _CREATE_IN,
    "aws:principaltag": "only if the caller truly is {key} = {value}, tag it so, as statement {statement} demands",
    "s3:existingobjecttag": "only if the object truly is {key} = {value}, have it tagged so, as statement {statement} "
    "demands, by whoever attests that",
    "s3:buckettag": "only if the bucket truly is {key} = {value}, tag it so, as statement {statement} demands",
    "aws:resourcetag": "only if the bucket truly is {key} = {value}, tag it so, as statement {statement} demands",
}
"""Condition key or family (lower case) -> what gives it another value."""

_AUTH = {
    "REST-HEADER": "an Authorization header instead of a presigned URL",
    "REST-QUERY-STRING": "a presigned URL instead of an Authorization header",
}


def surroundings_change(condition: Condition, value: str | None, statement: str, endpoint: str | None = None) -> str:
    """What gives a condition key another value. `endpoint`: the VPC endpoint that then must not be used."""
    key = condition.lower_key
    family, _, member = condition.key.partition("/")
    template = _SURROUNDINGS.get(key) or _SURROUNDINGS[family.lower()]
    values = shown(", ".join(condition.values))
    listed_there = _is_listed(condition, value)
    known = condition.values if listed_there and value in condition.values else (value or "",)
    words = template.format(
        value=shown(value),
        any=shown(" or ".join(known)),
        values=values,
        statement=statement,
        key=member,
        lists="lists" if listed_there else "does not list",
        auth=_AUTH.get(value or "", f"s3:authType {value}"),
        operator=condition.operator_text,
    )
    if endpoint is not None and key == "aws:sourceip":
        words += f", and not through the VPC endpoint {endpoint}: through one there is no aws:SourceIp"
    return words


def either(choices: Sequence[str]) -> str:
    """Any of them is enough."""
    return f"{', or '.join(dict.fromkeys(choices))}: either is enough"


ATTESTED = "a tag attests something: whether it would be true of this one is not known here"
ACCESS_POINT = "whether there is such an access point, and whether its policy allows the caller, is not known"
PATTERN = "which of the values that fit is right is not known"
SIGNER = "who would sign, and whether that one is allowed, is not known"
STAYS_MISSING = "the key is missing, so that there is nothing to allow"
BLOCKED_POLICY = "Block Public Access (BlockPublicPolicy) refuses such a policy while it is on"
NOT_TRIED = "not tried: no patch of policies or request can say it"
NO_SCENARIO = "not tried: this call cannot be written as a scenario to try it on"


def _is_listed(condition: Condition, value: str | None) -> bool:
    """Is the value one of the condition's, whether the condition wants it to be or not?"""
    present = {} if value is None else {condition.lower_key: (value,)}
    return (condition.test(RequestContext(present=present)) is Truth.YES) is not condition.negated


# What no policy decides

SIGN = "sign the request with the credentials of someone who is allowed: it was sent without any"
CLOCK = "set the clock of the machine that signs (NTP): S3 accepts 15 minutes of difference"
EXPIRED = (
    "make a new presigned URL when it is needed, or with a longer X-Amz-Expires (at most 604800 seconds; with session "
    "credentials it ends when they do)"
)
ACCESS_KEY = "use an access key that exists and is active, of this partition, and with its session token if it has one"
KEY_IN_TABLE = (
    "use an access key of denyproxy's table, or have this one added to it (resign.credentials; `denyproxy credentials "
    "new` makes a pair)"
)
ACCOUNT_PROBLEM = "ask the owner of the account, or AWS Support, to enable it again"
CORS = "allow this origin, method and headers in the bucket's CORS configuration"
POST_POLICY = "send form fields that meet the form's own policy, or sign a policy that allows them"
REQUESTER_PAYS = "send x-amz-request-payer: requester, and so agree to pay for the request"
REQUESTER_PAYS_PRESIGNED = (
    "sign a new URL with x-amz-request-payer=requester in its query, and so agree to pay for the request"
)
REQUESTER_PAYS_ANONYMOUS = "sign the request, and send x-amz-request-payer: requester: nobody pays for anonymous ones"
ARCHIVED = "restore the object (RestoreObject, s3:RestoreObject) and read it once the copy is there"
LEGAL_HOLD = "lift the legal hold of the version (PutObjectLegalHold, s3:PutObjectLegalHold), if it is no longer needed"
GOVERNANCE = (
    "send x-amz-bypass-governance-retention: true, which needs s3:BypassGovernanceRetention, or wait until the "
    "retention ends"
)
MFA_DELETE = (
    "send the request as the root user of the bucket's account, with x-amz-mfa (serial number and code of its MFA "
    "device)"
)
PRIVATE_ACL = (
    "send a private ACL (x-amz-acl: private), or do not make this call: Block Public Access refuses a public one"
)
PUBLIC_ACL = "leave out the public ACL: Block Public Access refuses it"
PUBLIC_POLICY = "put a policy that is not public: name principals, or fix them by conditions such as aws:PrincipalOrgID"
IGNORED_ACL = "grant the access in the bucket policy to named principals rather than in an ACL to a public group"
ENFORCE_OWNERSHIP = (
    "set Object Ownership to BucketOwnerEnforced: the bucket owner then owns all objects, and ACLs no longer count"
)


def sse_c(headers: Sequence[str]) -> str:
    """Encryption with a key of one's own."""
    return f"leave out {listed(headers)}: let S3 or KMS keep the key (SSE-S3, SSE-KMS)"


def leave_out(headers: Sequence[str], action: str) -> str:
    """Headers that need a permission of their own."""
    return f"leave out {listed(headers)}: without it the request does not need {action}"


def unsigned_header(name: str) -> str:
    """A header that the signature does not cover."""
    return f"do not send {name}, or name it in the SignedHeaders of the signature"


def signature(element: str | None) -> str:
    """What differs between S3's request and the client's."""
    if element == "secret":
        return "use the secret access key that belongs to the access key id"
    if element is None:
        return "sign the request as it is sent, with the secret access key that belongs to the access key id"
    return f"sign the request as it is sent: its {element} is not what was signed"


def signature_in_table(element: str | None) -> str:
    """The same, where denyproxy verifies with a table of its own."""
    if element is None:
        return "sign the request as it is sent, with the secret access key that denyproxy's table has for the id"
    return signature(element)


def expected_owner(header: str, owner: str | None, said: str | None) -> str:
    """The header is the caller's own safeguard."""
    if owner is None:
        return f"correct {header} ({said}), or the name of the bucket"
    return f"send {header}: {owner}, if that account is the one that you mean; else the bucket is not yours"


def retention(actual: str) -> str:
    """Of a mode that does not yield."""
    return f"wait until the retention ends ({actual}): nobody can shorten COMPLIANCE mode"


LOCK_NOT_KNOWN = (
    "find out what protects the version (GetObjectRetention, GetObjectLegalHold), which is not known here: a retention "
    "ends by itself, a legal hold has to be lifted"
)


def switch_off(setting: str) -> str:
    """A guardrail that its owner may not want."""
    return f"only if the bucket is meant to be public: set {setting} to false in S3 Block Public Access"


def restricted(account: str | None) -> str:
    """RestrictPublicBuckets."""
    whom = f"account {account}" if account is not None else "the principals that are meant"
    return (
        f"name {whom} in place of * in the Principal of the bucket policy, so that the policy is no longer public and "
        "RestrictPublicBuckets no longer applies"
    )


def object_acl(owner: str | None, permission: str, account: str, resource: str) -> str:
    """An object of another account."""
    whose = f"the object owner, account {owner}," if owner is not None else "the account that owns the object"
    return f"have {whose} grant {permission} on {shown(resource)} to account {account} in its ACL"


def from_vpc(vpc: str | None) -> str:
    """An access point of network origin VPC."""
    return f"send the request from VPC {vpc}, or through an access point of network origin Internet"


MISSING_KEY_PUBLIC = (
    "take the 403 for a 404, or send the right key: the key is missing, and reading what exists is allowed; do not "
    "make the listing of the bucket public"
)
UNSIGNED = "send the request unsigned (--no-sign-request): the object is public, for anonymous callers"
MANAGED_KEY = (
    "encrypt the object with a customer managed key, and allow the other account in its key policy: nobody can allow "
    "another account the AWS managed key aws/s3"
)


# Whole fixes


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
