"""The form of a browser-based upload (POST), as far as it was kept.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from denyproxy.s3.xml import child_text, descendants, parse_xml
from denyproxy.sigv4.wire import SECRET_FIELDS

_MAX_FIELDS = 200
_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)
_NAME = re.compile(r'\bname="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(r'\bfilename="([^"]*)"', re.IGNORECASE)
_AS_HEADERS = {"acl": "x-amz-acl", "content-type": "content-type"}


def is_form(content_type: str | None) -> bool:
    """Is it multipart/form-data?"""
    return content_type is not None and content_type.strip().lower().startswith("multipart/form-data")


def parse_form(body: bytes | None, content_type: str | None) -> Mapping[str, str] | None:
    """Field name (lower case) -> value, up to the file; `filename` is the file's own name.

    None: not a form, or not kept. Fields after the file do not count for S3 either."""
    boundary = _BOUNDARY.search(content_type or "")
    if body is None or boundary is None or not is_form(content_type):
        return None
    fields: dict[str, str] = {}
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode("utf-8", "surrogateescape"))[1 : _MAX_FIELDS + 1]:
        head, found, value = part.partition(b"\r\n\r\n")
        disposition = head.decode("utf-8", "surrogateescape")
        name = _NAME.search(disposition)
        if not found or name is None:
            continue
        field = name[1].lower()
        if field == "file":
            filename = _FILENAME.search(disposition)
            fields["filename"] = re.split(r"[/\\]", filename[1])[-1] if filename else ""
            break
        fields.setdefault(field, value.decode("utf-8", "surrogateescape"))
    return fields


def form_key(fields: Mapping[str, str]) -> str | None:
    """The object's key, with `${filename}` replaced; None: the form has none."""
    key = fields.get("key")
    return None if key is None else key.replace("${filename}", fields.get("filename", ""))


def form_headers(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields under the names of the headers that mean the same on a PUT; secrets left out."""
    headers = {name: value for name, value in fields.items() if name.startswith("x-amz-") and name not in SECRET_FIELDS}
    headers.update((header, fields[name]) for name, header in _AS_HEADERS.items() if name in fields)
    if "tagging" in fields:
        tags = descendants(parse_xml(fields["tagging"].encode("utf-8", "surrogateescape")), "Tag")
        headers["x-amz-tagging"] = urlencode(
            [(child_text(tag, "Key") or "", child_text(tag, "Value") or "") for tag in tags]
        )
    return headers
