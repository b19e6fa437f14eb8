"""Bytes become text in the web's encodings, whatever encoding is declared, without an exception."""

from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.engine.text import decode, web_codec

LABELS = sorted(
    {*aliases, *aliases.values(), "idna", "punycode", "unicode_escape", "undefined", "no-such", "\u00e9", ""}
)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=60).map(str.encode)), st.sampled_from(LABELS), st.booleans())
def test_whatever_is_declared_and_sent_is_decoded(body: bytes, label: str, in_page: bool) -> None:
    head = f"<meta charset='{label}'>".encode() if in_page else b""
    assert isinstance(decode(head + body, "" if in_page else f"text/html; charset={label}"), str)


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("latin1", "\u20ac 5"),  # browsers read it as windows-1252
        ("GB2312", "\u570b"),  # \u2026 and this as gb18030
        ("x-sjis", "\u2460"),  # \u2026 and this as windows-31j
        ("windows-874", "\u0e44\u0e17\u0e22"),
        ("ks_c_5601-1987", "\ub620"),
        ("koi8-r", "\u043c\u0438\u0440"),
    ],
)
def test_a_label_is_read_as_browsers_read_it(label: str, text: str) -> None:
    codec = web_codec(label)
    assert codec is not None
    assert decode(text.encode(codec), f"text/html; charset={label}") == text


def test_what_was_encoded_as_utf_8_twice_is_decoded_twice() -> None:
    once = "Earth\u2019s caf\u00e9s \u2013 49\u00b0"
    assert decode(once.encode().decode("latin-1").encode(), "text/html; charset=utf-8") == once
    assert decode("Ã© alone is a letter and a sign".encode(), "text/html; charset=utf-8").startswith("Ã©")
