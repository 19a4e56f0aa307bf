"""Small XML documents of S3, read without trust: bounded, no document types, no entities of their own."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes; a DeleteObjects answer with a thousand long messages has about two million."""


def parse_xml(document: bytes | None) -> Element | None:
    """The root element; None: absent, too large, not UTF-8, with a document type, or not well-formed."""
    if not document or len(document) > MAX_DOCUMENT:
        return None
    try:
        text = document.decode("utf-8-sig").lstrip()
    except UnicodeDecodeError:
        return None
    if "<!doctype" in text.lower():
        return None
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return None


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def children(element: Element | None, name: str) -> Iterator[Element]:
    """The direct children of that name, in any namespace."""
    if element is not None:
        yield from (child for child in element if local_name(child) == name)


def descendants(element: Element | None, name: str) -> Iterator[Element]:
    """The elements of that name at any depth, in any namespace."""
    if element is not None:
        yield from (found for found in element.iter() if local_name(found) == name)


def child_text(element: Element | None, name: str) -> str | None:
    """The text of the first such child; empty where the child is, None: there is no such child."""
    child = next(children(element, name), None)
    return None if child is None else child.text or ""


def descendant_text(element: Element | None, name: str) -> str | None:
    """The text of the first such descendant, stripped; None: there is none."""
    found = next(descendants(element, name), None)
    return None if found is None else (found.text or "").strip()
