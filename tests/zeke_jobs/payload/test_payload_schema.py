"""A payload is checked against a schema: fields are renamed, and faults are described in words."""

import json
import time as clock
from datetime import UTC, date, datetime, time
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pydantic
import pytest
from hypothesis import example, given, strategies as st
from jsonschema import Draft202012Validator
from psycopg2.extensions import connection as Connection
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from tests.each import cases, each
from tests.fleet import scalar
from tests.zeke_jobs.strange import LARGEST_NUMBER, numbers
from zeke_jobs.client.task_cache import KnownTask
from zeke_jobs.core.bounds import LARGEST
from zeke_jobs.core.redaction import camel_case
from zeke_jobs.payload.faults import expected
from zeke_jobs.payload.json_text import UnfitForJson, encode
from zeke_jobs.payload.model import Payload
from zeke_jobs.payload.schema import PayloadSchema

ID = "6f2e1c3a-0000-4000-8000-000000000001"
NO_NUMBER, NO_LIST = "expected a whole number, got 'big'", "expected a list, got 'few'"


class Leaf(Payload):
    leaf_name: str
    more_leaves: list["Leaf"] = Field(default_factory=list)


class Branch(Payload):
    branch_size: int


class Tree(Payload):
    story_id: UUID
    one_leaf: Leaf | None = None
    either_kind: Leaf | Branch | None = None
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    free_form: dict[str, Any] = Field(default_factory=dict)
    lists_of: list[list[Leaf]] = Field(default_factory=list)
    brief_2_liner: str = ""


def schema_of(model: type[BaseModel]) -> PayloadSchema:
    return PayloadSchema(model.model_json_schema(by_alias=False))


def faults(model: type[BaseModel], payload: dict[str, Any]) -> list[tuple[str, str]]:
    return schema_of(model).check(payload)[1]


def test_keys_are_renamed_at_every_depth_and_unknown_fields_kept() -> None:
    leaf = {"leafName": "a", "moreLeaves": [{"leafName": "b"}]}
    renamed_leaf = {"leaf_name": "a", "more_leaves": [{"leaf_name": "b"}]}
    payload = {
        "storyId": ID, "oneLeaf": leaf, "eitherKind": {"branchSize": 1}, "byName": {"keepThisKey": leaf},
        "freeForm": {"keepThis": {"andThis": 1}}, "listsOf": [[leaf]], "brief2Liner": "x",
    }  # fmt: skip
    renamed = {
        "story_id": ID, "one_leaf": renamed_leaf, "either_kind": {"branch_size": 1}, "by_name": {"keepThisKey": renamed_leaf},
        "free_form": {"keepThis": {"andThis": 1}}, "lists_of": [[renamed_leaf]], "brief_2_liner": "x",
    }  # fmt: skip
    assert schema_of(Tree).check(payload) == (renamed, [])
    assert schema_of(Open).check({"whateverItIs": 1}) == ({"whateverItIs": 1}, [])
    assert KnownTask("mixed", 1, schema_of(Mixed)).accept({"either": {"aB": 2}}) == '{"either":{"a_b":2}}'
    assert KnownTask("open", 1, schema_of(Open)).accept({"aB": 2, "cD": 3}) == '{"a_b":2,"cD":3}'
    assert PayloadSchema(None).check({"aB": 1}) == ({"aB": 1}, [])


@given(st.from_regex(r"[a-z]+(_[a-z0-9]+){0,3}", fullmatch=True))
def test_camel_case_is_what_the_model_accepts(name: str) -> None:
    # For brief_2liner, pydantic also capitalises the letter after the digit; zeke_jobs does not. Models accept both.
    if not any(a.isdigit() and b.isalpha() for a, b in pairwise(name)):
        assert camel_case(name) == to_camel(name)


class Open(Payload, extra="allow"):
    a: int = 1
    a_b: int = 1


class Mixed(Payload):
    either: Open | dict[str, int]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    barks: bool


class First(BaseModel):
    version: Literal[1]
    old: int


class Second(BaseModel):
    version: Literal[2]
    new: int


class Place(NamedTuple):
    name: str
    floor: int = 0


class Rules(Payload):
    model_config = ConfigDict(regex_engine="python-re")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    pair: tuple[int, str] | None = None
    place: Place = Place("")
    form: Annotated[First | Second, Field(discriminator="version")] | None = None
    by_id: dict[UUID, int] = Field(default_factory=dict)
    ahead: Annotated[str, Field(pattern="^(?=a)")] = "a"
    when: datetime | None = None
    day: date | None = None
    at: time | None = None
    url: AnyHttpUrl | None = None
    few: Annotated[list[int], Field(min_length=1, max_length=2, default_factory=list)]
    short: Annotated[str, Field(max_length=3, pattern="^a")] = "a"
    some: Annotated[int, Field(ge=1, le=9)] = 1
    word: Literal["one", "two"] | None = None
    only: Literal["x"] = "x"
    yes: bool = True
    either: Leaf | Branch | None = None


@each(
    "case",
    ({"pet": {"kind": "dog"}}, ("pet.barks", "expected a value, got none")),
    ({"pet": {"kind": "cat", "lives": 9, "barks": True}}, ("pet.barks", "expected no such field, got True")),
    ({"pet": {"kind": "fox"}}, ("pet", "expected 'cat', 'dog' or nothing, got {'kind': 'fox'}")),
    ({"pet": {}}, ("pet", "expected a mapping with 'kind' or nothing, got {}")),
    ({"pair": [1, 2]}, ("pair[1]", "expected text, got 2")),
    ({"place": []}, ("place[0]", "expected a value, got none")),
    ({"form": {"version": 3}}, ("form.version", "expected 1 or 2, got 3")),
    ({"byId": {"x": 1}}, ("by_id.x", "expected a UUID, got 'x'")),
    ({"ahead": "b"}, ("ahead", "expected text like ^(?=a), got 'b'")),
    ({"when": "yesterday"}, ("when", "expected a date and time or nothing, got 'yesterday'")),
    ({"day": "2026-13-01"}, ("day", "expected a date or nothing, got '2026-13-01'")),
    ({"at": "25:00"}, ("at", "expected a time or nothing, got '25:00'")),
    ({"url": "example.org"}, ("url", "expected an address or nothing, got 'example.org'")),
    ({"few": []}, ("few", "expected at least 1 item, got []")),
    ({"few": [1, 2, 3]}, ("few", "expected at most 2 items, got [1, 2, 3]")),
    ({"short": "abcd"}, ("short", "expected at most 3 characters, got 'abcd'")),
    ({"some": 0}, ("some", "expected a number of at least 1, got 0")),
    ({"word": "three"}, ("word", "expected one of 'one', 'two' or nothing, got 'three'")),
    ({"only": "y"}, ("only", "expected 'x', got 'y'")),
    ({"yes": "no"}, ("yes", "expected true or false, got 'no'")),
    ({"either": {"branchSize": "big", "moreLeaves": []}}, ("either.branch_size", NO_NUMBER), ("either.more_leaves", "expected no such field, got []")),
    ({"either": {"moreLeaves": "few"}}, ("either.leaf_name", "expected a value, got none"), ("either.more_leaves", NO_LIST)),
    ({"either": {"branchSize": "big", "moreLeaves": "few"}}, ("either.branch_size", NO_NUMBER), ("either.more_leaves", NO_LIST)),
    ({"some": [1] * 100}, ("some", "expected a whole number, got [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1…")),
)  # fmt: skip
def test_a_fault_says_what_was_expected_and_what_came_and_hides_no_other_one(case: tuple[Any, ...]) -> None:
    payload, *found = case
    assert faults(Rules, payload) == found


@cases(
    "accepted value words",
    (pydantic.HttpUrl, "ftp://a.org", "an address that begins with 'http' or 'https'"),
    (pydantic.HttpUrl, "a.org", "an address"),
    (pydantic.HttpUrl, f"http://a.org/{'a' * 3000}", "at most 2083 characters"),
    (pydantic.PastDate, date(2999, 1, 1), "a date in the past"),
    (pydantic.FutureDatetime, datetime(1999, 1, 1), "a time in the future"),  # noqa: DTZ001 (it needs no zone)
    (pydantic.UUID4, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "a UUID of version 4"),
)
def test_words_tell_the_rule_of_a_model_that_a_value_breaks(accepted: Any, value: object, words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(accepted).validate_python(value)
    assert expected(raised.value.errors()[0]) == words


class Leaves(Payload):
    leaves: list[Leaf | int]


def test_tags_may_be_numbers_items_with_defaults_missing_names_in_either_spelling_and_faults_thousands() -> None:
    payloads = [{"form": {"version": 2, "new": 1}}, {"place": ["a"]}, {"place": ["a", 1]}, {"by_id": {ID: 1}}]
    schema = schema_of(Rules)
    assert [schema.fits(json.dumps(payload)) for payload in payloads] == [True] * 4
    taking = [name for name in Rules.model_fields if schema.takes_text(name)]
    assert taking == ["ahead", "when", "day", "at", "url", "short", "word", "only"]
    named = [schema_of(Tree).field(name) for name in ("storyId", "story_id", "StoryId")]
    assert named == ["story_id", "story_id", "StoryId"]
    paths = ("free_form.what.ever", "one_leaf.leaf_name", "lists_of.leaf_name", "by_name.ada.leaf_name")
    assert [schema_of(Tree).lost_step(path.split(".")) for path in paths] == [None] * 4
    for path in ("leaf", "one_leaf.name", "lists_of.leaf_name.x", "by_name.ada.name", "one_leaf.leafName"):
        assert (schema_of(Tree).lost_step(path.split(".")) or "")[0] == path.rpartition(".")[2], path
    began = clock.process_time()
    assert len(faults(Leaves, {"leaves": ["x"] * 4000})) == 4000
    assert clock.process_time() - began < 5.0


NULL = {"type": "null"}
ONE_OF = {"properties": {"a": NULL, "b": NULL}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
# Python's re module cannot parse this pattern.
LETTERS = {"properties": {"a": {"type": "string", "pattern": r"^\p{L}+$"}, "b": NULL}}
ELSEWHERE = {"properties": {"a": {"$ref": "#/elsewhere"}}}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [(ONE_OF, ['{"a":null}', '{"b":null}'], ["{}"]), (LETTERS, ['{"a":"é"}'], ['{"a":"1"}', '{"b":1}']), (ELSEWHERE, ['{"a":1}'], [])],
    ids=["of several fields one may be needed", "a pattern of another engine is read", "what refers to nothing refuses nothing"],
)  # fmt: skip
def test_rules_that_only_some_schemas_have_are_kept(schema: dict[str, Any], good: list[str], bad: list[str]) -> None:
    assert [PayloadSchema(schema).fits(text) for text in (*good, *bad)] == [True] * len(good) + [False] * len(bad)


words = st.sampled_from(["one", "x", "abc", "12345", "2026-01-02", ID, ID.upper(), "cat"])
anything = st.none() | st.booleans() | st.integers(0, 10) | st.floats() | words
inner_fields = st.sampled_from([name for model in (Leaf, Branch, Cat, Second) for name in model.model_fields] + [ID])
inner_values = st.recursive(
    anything, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(inner_fields, inner, max_size=3), max_leaves=5
)
fields = st.sampled_from([*Rules.model_fields, "unknown"])
checked = schema_of(Rules)
by_rules = Draft202012Validator({**Rules.model_json_schema(by_alias=False), "additionalProperties": False})


@given(st.dictionaries(fields, inner_values, max_size=3))
def test_what_fits_fits_the_rules_of_json_schema_and_the_model(payload: dict[str, Any]) -> None:
    try:
        fits = checked.fits(json.dumps(payload, allow_nan=False))
    except ValueError:
        return
    assert not fits or by_rules.is_valid(payload)
    if fits:
        Rules.model_validate(payload)


Colour = StrEnum("Colour", ["RED"])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(value=values)
@example(value=LARGEST_NUMBER)
def test_what_is_accepted_comes_back_from_postgres_as_it_was(conn: Connection, value: Any) -> None:
    try:
        text = encode(value)
    except UnfitForJson as error:
        refusal = error.message
    else:
        assert same(json.loads(scalar(conn, "SELECT %s::jsonb::text", text)), value)
        assert scalar(conn, "SELECT zeke_jobs.unfit_payload(jsonb_build_object('x', %s::jsonb))", text) is None
        return
    assert "expected" in refusal


def same(stored: Any, value: Any) -> bool:
    """Compare values; an integer equals the float with the same value."""
    if isinstance(value, list):
        return len(stored) == len(value) and all(map(same, stored, value))
    if isinstance(value, dict):
        return stored.keys() == value.keys() and all(same(stored[key], value[key]) for key in value)
    return bool(float(stored) == value if isinstance(value, float) else stored == value)


def test_python_values_become_what_json_has_for_them() -> None:
    for value, text in (
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (Colour("red"), '"red"'),
        ((1, 2), "[1,2]"),
        ("ünï", '"ünï"'),
        (Leaf(leaf_name="a"), '{"leaf_name":"a","more_leaves":[]}'),
        ("\\u0000", '"\\\\u0000"'),
        (2**63 - 1, "9223372036854775807"),
    ):
        assert encode(value) == text


deep: list[Any] = []
for _ in range(100_000):
    deep = [deep]
circle: dict[str, Any] = {}
circle["self"] = circle


@cases(
    "value path message",
    ({"a": [1, float("inf")]}, "a[1]", "expected a finite number, got inf"),
    ({"a": {"b": "x\0"}}, "a.b", "expected text without NUL"),
    ({"a\0": 1}, "", "expected text without NUL"),
    (["\udc00"], "[0]", "got a lone surrogate at character 0"),
    ({"a": -(2**63) - 1}, "a", "expected an integer of at most 64 bits"),
    ({"a": 10**5000}, "a", "expected an integer of at most 64 bits"),
    ({"a": {1, 2}}, "a", "expected a JSON value, got set"),
    ({(1, 2): 3}, "", "expected text as key, got (1, 2) (tuple)"),
    (deep, "", "expected at most 100 lists and objects inside each other, got more"),
    (circle, "", "expected at most 100 lists and objects inside each other, got more"),
    ("x" * LARGEST, "", "expected at most 1 MiB of JSON, got 1,048,578 bytes"),
)
def test_what_cannot_be_kept_is_refused_with_its_place(value: Any, path: str, message: str) -> None:
    with pytest.raises(UnfitForJson) as refused:
        encode(value)
    assert refused.value.path == path
    assert message in refused.value.message
