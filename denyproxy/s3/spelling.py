"""Names that people write by hand: whether there is such an action, condition key, ARN or operation; what was meant.

Each check gives what is wrong in words that follow the name ("is ..."), or None.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from denyproxy.s3.actions import ACTIONS, actions_for_api_name, resource_type
from denyproxy.s3.arn import Arn
from denyproxy.s3.condition_keys import FAMILIES, KEYS
from denyproxy.s3.permission_table import OPERATIONS

_GLOBAL_KEYS = """
    aws:AssumedRoot aws:CalledVia aws:CalledViaAWSMCP aws:CalledViaFirst aws:CalledViaLast aws:ChatbotSourceArn
    aws:CurrentTime aws:Ec2InstanceSourcePrivateIPv4 aws:Ec2InstanceSourceVpc aws:EpochTime aws:FederatedProvider
    aws:IsMcpServiceAction aws:MultiFactorAuthAge aws:MultiFactorAuthPresent aws:PrincipalAccount aws:PrincipalArn
    aws:PrincipalIsAWSService aws:PrincipalOrgID aws:PrincipalOrgPaths aws:PrincipalServiceName
    aws:PrincipalServiceNamesList aws:PrincipalType aws:Referer aws:RequestedRegion aws:ResourceAccount
    aws:ResourceOrgID aws:ResourceOrgPaths aws:SecureTransport aws:SignInSessionArn aws:SourceAccount aws:SourceArn
    aws:SourceIdentity aws:SourceIp aws:SourceOrgID aws:SourceOrgPaths aws:SourceOwner aws:SourceVpc aws:SourceVpcArn
    aws:SourceVpce aws:TagKeys aws:TokenIssueTime aws:UserAgent aws:userid aws:username aws:ViaAWSMCPService
    aws:ViaAWSService aws:VpceAccount aws:VpceOrgID aws:VpceOrgPaths aws:VpcSourceIp
"""
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html"""
_KMS_KEYS = """
    kms:BypassPolicyLockoutSafetyCheck kms:CallerAccount kms:CustomerMasterKeySpec kms:CustomerMasterKeyUsage
    kms:DataKeyPairSpec kms:EncryptionAlgorithm kms:EncryptionContextKeys kms:ExpirationModel kms:GrantConstraintType
    kms:GranteePrincipal kms:GrantIsForAWSResource kms:GrantOperations kms:KeyAgreementAlgorithm kms:KeyOrigin
    kms:KeySpec kms:KeyUsage kms:MacAlgorithm kms:MessageType kms:MultiRegion kms:MultiRegionKeyType kms:PrimaryRegion
    kms:ReEncryptOnSameKey kms:RequestAlias kms:ResourceAliases kms:RetiringPrincipal kms:RotationPeriodInDays
    kms:ScheduleKeyDeletionPendingWindowInDays kms:SigningAlgorithm kms:ValidTo kms:ViaService kms:WrappingAlgorithm
    kms:WrappingKeySpec
"""
"""https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html"""

_KEYS = {name.lower(): name for name in (*_GLOBAL_KEYS.split(), *_KMS_KEYS.split())} | {
    key.name: key.name for key in KEYS
}
_FAMILIES = {family.name for family in FAMILIES} | {"aws:principaltag"}
_OPEN_FAMILIES = ("kms:encryptioncontext:", "kms:recipientattestation:")

_ACTION = re.compile(r"[a-z0-9-]+:[A-Za-z0-9]+", re.IGNORECASE)
_ACCOUNT = re.compile(r"\d{12}")
_PARTITION = re.compile(r"aws[a-z-]*")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d+")
_BUCKET = re.compile(r"[A-Za-z0-9._-]+")


def alike(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    names = {item.lower(): item for item in known}
    near = difflib.get_close_matches(name.lower(), names, 1, 0.7)
    return names[near[0]] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing."""
    near = alike(name, known)
    return "" if near is None else f"; did you mean {near}?"


def action_problem(action: str, *, pattern: bool = False) -> str | None:
    """What is wrong with the name of an action. `pattern`: it stands in a policy, where wildcards are at home."""
    wild = "*" in action or "?" in action
    if wild and not pattern:
        return "has a wildcard, but a question is about one action"
    if wild:
        return None
    if not _ACTION.fullmatch(action):
        meant = f"s3:{action}"
        if resource_type(meant) is not None:
            return f"names no service; did you mean {_spelled(meant)}?"
        return "is not SERVICE:ACTION, such as s3:GetObject"
    if not action.lower().startswith("s3:") or resource_type(action) is not None:
        return None
    needed = actions_for_api_name(action)
    if needed:
        return f"is not an IAM action but the name of an API operation, which needs {' and '.join(needed)}"
    return f"is no action of Amazon S3{did_you_mean(action, ACTIONS)}"


def _spelled(action: str) -> str:
    return next(name for name in ACTIONS if name.lower() == action.lower())


def condition_key_problem(key: str) -> str | None:
    """What is wrong with a condition key of AWS's own, Amazon S3 or KMS; other services have theirs."""
    name = key.lower()
    if not name.startswith(("aws:", "s3:", "kms:")):
        return None
    family, slash, member = name.partition("/")
    if name in _KEYS or name.startswith(_OPEN_FAMILIES) or (family in _FAMILIES and member):
        return None
    if family in _FAMILIES:
        return f"needs the tag's key: {key.rstrip('/')}/KEY"
    return f"is no condition key{did_you_mean(family if slash else name, (*_KEYS.values(), *_FAMILIES))}"


def is_known_prefix(key: str) -> bool:
    """Does the key belong to a service whose keys are known here?"""
    return key.lower().startswith(("aws:", "s3:", "kms:"))


def principal_problem(text: str) -> str | None:
    """What is wrong with the ARN of a caller."""
    arn = Arn.parse(text)
    if arn is None or arn.service not in ("iam", "sts"):
        return "is neither an ARN of IAM or STS, a service principal nor anonymous"
    if "*" in text or "?" in text:
        return "has a wildcard, but one caller sends a request"
    problem = _parts_problem(arn, account_needed=True)
    if problem is not None:
        return problem
    kind, _, name = arn.resource.partition("/")
    if arn.service == "sts" and kind == "assumed-role":
        role, _, session = name.partition("/")
        if not role or not session or "/" in session:
            own = f"arn:{arn.partition}:iam::{arn.account}:role/{role or 'ROLE'}"
            return f"is not assumed-role/ROLE/SESSION; for any session of the role give {own}"
        return None
    if (arn.service, kind) in (("iam", "user"), ("iam", "role"), ("sts", "federated-user")):
        return None if name and not name.endswith("/") else f"names no {kind}"
    if (arn.service, arn.resource) == ("iam", "root"):
        return None
    if (arn.service, kind) == ("iam", "group"):
        return "is a group, and a group sends no requests; give one of its users"
    return "is neither a user, role, role session (assumed-role), federated user nor root"


def resource_problem(action: str, text: str) -> str | None:
    """What is wrong with the resource of an action."""
    if text == "*":
        kind = resource_type(action)
        if kind in (None, "*", "any"):
            return None
        return f"stands for every resource, but a question is about one: {action} is authorized on one {kind}"
    arn = Arn.parse(text)
    if arn is None:
        place = text.removeprefix("s3://")
        hint = f"arn:aws:s3:::{place}" if text.startswith("s3://") else "such as arn:aws:s3:::BUCKET/KEY"
        return f"is no ARN; give it as {hint}" if text.startswith("s3://") else f"is no ARN, {hint}"
    if ("*" in text or "?" in text) and resource_type(action) != "*":
        return (
            "has a wildcard, but a question is about one resource (a key that holds * or ? can be asked about with "
            "--operation, --bucket and --key)"
        )
    if action.lower().startswith("s3:") and arn.service != "s3":
        return f"is a resource of {arn.service}, but {action} is an action of Amazon S3"
    return _parts_problem(arn, account_needed=False) or ("names no resource" if not arn.resource else None)


def bucket_problem(text: str) -> str | None:
    """What is wrong with the name of a bucket, or the ARN of an access point."""
    arn = Arn.parse(text)
    if arn is not None:
        if arn.service == "s3" and not arn.account and "/" not in arn.resource:
            return f"is an ARN; give the bucket's name, {arn.resource}"
        name = arn.resource.removeprefix("accesspoint/")
        if name == arn.resource or not name or "/" in name:
            form = "arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME"
            return f"is neither the name of a bucket nor the ARN of an access point ({form})"
        return _parts_problem(arn, account_needed=True)
    name, slash, key = text.removeprefix("s3://").partition("/")
    if text.startswith("s3://") or slash:
        return f"is not a name; give --bucket {name}" + (f" --key {key}" if key else "")
    return None if _BUCKET.fullmatch(text) else "is not the name of a bucket"


def region_problem(text: str) -> str | None:
    """What is wrong with the name of a region."""
    return None if _REGION.fullmatch(text) else "is no region, such as us-east-1"


def operation_problem(name: str, known: Iterable[str]) -> str | None:
    """What is wrong with the name of an operation of Amazon S3."""
    names = list(known)
    if name in names or name in OPERATIONS:
        return None
    if ":" in name:
        return f"is that of an action, not of an API operation; ask about it with --action {name} --resource ARN"
    return f"is no operation of Amazon S3{did_you_mean(name, names)}"


def _parts_problem(arn: Arn, *, account_needed: bool) -> str | None:
    if not _PARTITION.fullmatch(arn.partition):
        return f"has no partition {arn.partition!r}; most have aws: arn:aws:..."
    if not arn.account and account_needed:
        return "has no account id, which stands before its last colon and has 12 digits"
    if arn.account and not _ACCOUNT.fullmatch(arn.account) and arn.account not in ("aws", "cloudfront"):
        found = f"{len(arn.account)} digits" if arn.account.isdigit() else f"{arn.account!r}"
        return f"has an account id of {found}, but an account id has 12 digits"
    return None
