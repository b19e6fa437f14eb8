"""Pronouns of the languages of Western Europe, as alternatives of a pattern."""

from __future__ import annotations

_SUBJECTS = "he|she|they|er|sie|elles?|ils|ella|ellos|ellas|lui|ele|ela|eles|elas"
PERSONS = f"{_SUBJECTS}|him|them|es|ihn|ihm"
"""Third persons, as subject or object, that are not another word in a language nearby."""

THIRD = f"{_SUBJECTS}|it|es|il|él"
"""Third persons and things, as subject."""

POINTING = "that|this|these"
