"""How the values of condition keys about tags arise from a call.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html
"""

from __future__ import annotations

from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.view import Family, Value, View
from denyproxy.s3.xml import child_text, descendants
from denyproxy.sigv4.wire import parse_query

Tags = list[tuple[str, str]]


def _request_tags(view: View) -> Tags | Unknown:
    said = view.request.header("x-amz-tagging")
    if said is not None:
        return list(parse_query(said))
    if view.request.operation == "PutObjectTagging":
        return _tags_in_body(view) if view.body_is_known else UNKNOWN
    # Whether tags that a copy takes along count as the request's is not documented.
    copied = view.request.operation == "CopyObject" and "tagging" in view.requirement.action.lower()
    form_not_kept = view.request.operation == "PostObject" and view.request.key is None
    return UNKNOWN if copied or form_not_kept else []


def _tags_in_body(view: View) -> Tags:
    return [(child_text(tag, "Key") or "", child_text(tag, "Value") or "") for tag in descendants(view.body, "Tag")]


def _family(tags: Tags | Unknown) -> Family:
    if tags is UNKNOWN:
        return UNKNOWN
    family: dict[str, Value] = {}
    for key, value in tags:
        name = key.lower()
        # Tag keys differ by case, condition keys do not: two such tags are one ambiguous key.
        family[name] = UNKNOWN if name in family else (value,)
    return family


def _keys(tags: Tags | Unknown) -> Value:
    return UNKNOWN if tags is UNKNOWN else tuple(key for key, _ in tags) or None


def request_object_tags(view: View) -> Family:
    """Object tags in x-amz-tagging or in the Tagging body."""
    return _family(_request_tags(view))


def request_object_tag_keys(view: View) -> Value:
    """Their keys."""
    return _keys(_request_tags(view))


def request_tags(view: View) -> Family:
    """Tags of a bucket that is created with tags."""
    if view.request.operation != "CreateBucket":
        return {} if view.closed else UNKNOWN
    return _family(_tags_in_body(view) if view.body_is_known else UNKNOWN)


def tag_keys(view: View) -> Value:
    """Their keys."""
    if view.request.operation != "CreateBucket":
        return view.unsaid
    return _keys(_tags_in_body(view) if view.body_is_known else UNKNOWN)


def existing_object_tags(view: View) -> Family:
    """Tags of the stored object; no object, no tags."""
    requirement = view.requirement
    if requirement.bucket is None or requirement.key is None:
        return {} if view.closed else UNKNOWN
    facts = view.snapshot.object(requirement.bucket, requirement.key)
    if facts is None:
        return {}
    if facts.tags is UNKNOWN or (requirement.version_id is not None and not view.closed):
        return UNKNOWN
    if facts.tags and requirement.action.endswith("Attributes"):
        return UNKNOWN  # Listed for these actions, but nobody saw S3 evaluate it.
    return _family(list(facts.tags.items()))


def bucket_tags(view: View) -> Family:
    """Tags of the bucket, which count only where attribute-based access control is enabled for it."""
    if view.requirement.bucket is None or view.requirement.action == "s3:CreateBucket":
        return {}
    facts = view.snapshot.bucket(view.requirement.bucket)
    if facts.abac is False:
        return {}
    return UNKNOWN if facts.abac is UNKNOWN or facts.tags is UNKNOWN else _family(list(facts.tags.items()))


def resource_tags(view: View) -> Family:
    """Tags of the bucket, or of the access point, which are not loaded. Never those of the object."""
    through = view.requirement.via_access_point is not None and not view.closed
    return UNKNOWN if through else bucket_tags(view)


def access_point_tags(view: View) -> Family:
    """Tags of the access point; they are not loaded."""
    return UNKNOWN if view.requirement.via_access_point is not None and not view.closed else {}
