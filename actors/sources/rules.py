"""The rules of filters, as jobs.yaml and the command line write them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, model_validator

from actors.sources.patterns import checked, checked_words
from zeke_jobs import Duration, parse_duration
from zeke_jobs.core.durations import format_duration


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _length(value: Any) -> int | timedelta:
    if isinstance(value, str) and not value.isdecimal():
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or int(value) < 1:
        raise ValueError(
            f"expected a number of words such as 300, or the duration of a recording such as 2m, got {value!r}"
        )
    return int(value)


_Several = BeforeValidator(_several)
_Words = Annotated[tuple[Annotated[str, AfterValidator(checked_words)], ...], _Several]
_Patterns = Annotated[tuple[Annotated[str, AfterValidator(checked)], ...], _Several]
_Languages = Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")], ...], _Several]
_Length = Annotated[int | timedelta | None, BeforeValidator(_length)]


class Conditions(BaseModel, extra="forbid", frozen=True):
    """When a rule fits: all conditions that are given must hold. Of a list, one entry is enough.

    Attributes:
        words: Words and phrases, found as whole words, in any case, in the title, the feed's text and its tags.
        regex: Regular expressions of RE2, looked for there too; in any case, unless they begin with ``(?-i)``.
        only_title: Look for both in the title only.
        author: Names, found as whole words in the author's name.
        language: Codes such as ``de``.
        shorter: Fewer words than this; or, as a duration, a shorter recording. ``longer``: more, or longer.
        older: Published longer ago than this when the item was found.
        source: Only items of these sources, by a part of their name or address, or by the beginning of their id.
        folder: Only items of sources in these folders, such as ``Tech`` or ``Tech/Python``, or in folders of them.
    """

    words: _Words = ()
    regex: _Patterns = ()
    only_title: bool = False
    author: _Words = ()
    language: _Languages = ()
    shorter: _Length = None
    longer: _Length = None
    older: Duration | None = None
    source: _Words = ()
    folder: _Words = ()

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if not any((self.words, self.regex, self.author, self.language, self.shorter, self.longer, self.older)):
            raise ValueError("expected words, regex, author, language, shorter, longer or older, got none of them")
        return self


class Rule(BaseModel, extra="forbid", frozen=True):
    """One rule: ``drop`` items that fit; or ``keep`` them, and drop the others of these sources that no ``keep`` fits."""

    drop: Conditions | None = None
    keep: Conditions | None = None

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if (self.drop is None) == (self.keep is None):
            raise ValueError("expected drop or keep with its conditions, got both or neither")
        return self

    @property
    def when(self) -> Conditions:
        """The conditions of ``drop`` or ``keep``."""
        when = self.drop or self.keep
        assert when is not None
        return when

    def __str__(self) -> str:
        """Such as ``drop words crypto, "price of bitcoin"; older 30d``."""
        return f"{'drop' if self.drop else 'keep'} {'; '.join(self._parts())}"

    def _parts(self) -> Iterator[str]:
        for name in Conditions.model_fields:
            value = getattr(self.when, name)
            if value is True:
                yield "only title"
            elif value:
                yield f"{name} {', '.join(map(_said, value if isinstance(value, tuple) else [value]))}"


def _said(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)
