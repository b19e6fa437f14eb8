"""Selectors of CSS, as people copy them from a browser, in the parts that name elements of a page at rest; by way of XPath."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

if TYPE_CHECKING:
    from lxml.html import HtmlElement

_LONGEST = 1000
_NAME = r"(?:[\w-]|[^\x00-\x7f]|\\.)+"
_VALUE = rf"(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>{_NAME}))"
_SIMPLE = re.compile(
    rf"(?P<type>[A-Za-z][\w-]*|\*)|\.(?P<class_>{_NAME})|\#(?P<id>{_NAME})"
    rf"|\[\s*(?P<attribute>[A-Za-z_][\w.-]*)\s*(?:(?P<how>[~^$*]?=)\s*{_VALUE}\s*)?\]"
    r"|:(?P<end>first|last)-child|:nth-child\(\s*(?P<place>\d{1,4})\s*\)|:not\((?P<without>[^()]*)\)",
    re.ASCII,
)
_NEXT = re.compile(r"\s*([,>+~])\s*|\s+")
_START = "descendant-or-self::*"
_AXES = {
    ",": f" | {_START}",
    ">": "/child::*",
    "+": "/following-sibling::*[1]",
    "~": "/following-sibling::*",
    None: "/descendant::*",
}
_TESTS = {
    "=": "@{0} = {1}",
    "^=": "{1} and starts-with(@{0}, {1})",
    "*=": "{1} and contains(@{0}, {1})",
    "~=": "{1} and contains(concat(' ', normalize-space(@{0}), ' '), concat(' ', {1}, ' '))",
    "$=": "{1} and substring(@{0}, string-length(@{0}) - string-length({1}) + 1) = {1}",
}
_ENDS = {"first": "not(preceding-sibling::*)", "last": "not(following-sibling::*)"}


def xpath(selector: str) -> str:
    """The XPath of a selector.

    Raises:
        ValueError: it is none, or has parts that are not read.
    """
    text, made, at = re.sub(r"[\n\t]", " ", selector.strip()), _START, 0
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"expected a selector of at most {_LONGEST} printable characters, got {text[:100]!r}")
    while True:
        conditions, at = _compound(text, at)
        made += conditions
        if at == len(text):
            return made
        if (found := _NEXT.match(text, at)) is None:
            raise _unread(text, at)
        made += _AXES[found[1]]
        at = found.end()


def select(tree: HtmlElement, selector: str) -> list[HtmlElement]:
    """The elements of a page that a valid selector names, in the page's order, without those inside another one."""
    found = tree.xpath(xpath(selector))
    taken = set(found)
    return [one for one in found if taken.isdisjoint(one.iterancestors())]


def _compound(text: str, at: int) -> tuple[str, int]:
    """The conditions on one element, such as ``h2.title``, and where they end."""
    made, start = "", at
    while (found := _SIMPLE.match(text, at)) is not None and not (found["type"] and at > start):
        made += f"[{_condition(found)}]"
        at = found.end()
    if at == start:
        raise _unread(text, at)
    return made, at


def _condition(part: re.Match[str]) -> str:
    if part["type"]:
        return f"self::{part['type'].lower()}"
    if part["class_"]:
        return _TESTS["~="].format("class", _quoted(_plain(part["class_"])))
    if part["id"]:
        return _TESTS["="].format("id", _quoted(_plain(part["id"])))
    if part["attribute"]:
        value = next((one for one in (part["double"], part["single"]) if one is not None), _plain(part["bare"] or ""))
        name = part["attribute"].lower()
        return _TESTS[part["how"]].format(name, _quoted(value)) if part["how"] else f"@{name}"
    if part["end"]:
        return _ENDS[part["end"]]
    if part["place"]:
        return f"count(preceding-sibling::*) = {int(part['place']) - 1}"
    inner, end = _compound(part["without"].strip(), 0)
    if end < len(part["without"].strip()):
        raise _unread(part["without"], end)
    return f"not(self::*{inner})"


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def _quoted(value: str) -> str:
    if '"' not in value:
        return f'"{value}"'
    if "'" in value:
        raise ValueError(f"expected a value with one kind of quotation marks, got {value!r}")
    return f"'{value}'"


def _unread(text: str, at: int) -> ValueError:
    known = (
        "tags, .classes, #ids, [attributes], :not(), :first-child, :last-child, :nth-child(2), spaces, >, +, ~ and ,"
    )
    where = f"{text[at : at + 30]!r} in it" if at < len(text) else "an end too early"
    return ValueError(f"expected a selector of {known}; got {text[:200]!r} with {where}")


def _checked(selector: str) -> str:
    xpath(selector)
    return selector


Selector = Annotated[str, AfterValidator(_checked)]
"""The type of a selector in settings."""
