"""A terminal's bytes become names of keys."""

from zeke_jobs.top import app


def test_keys_are_named_and_what_means_nothing_is_left_out() -> None:
    names = {
        b"p": ["p"],
        b"py": ["p", "y"],
        b"\x1b": ["escape"],
        b"\x1b[A\x1b[B": ["up", "down"],
        b"\x1bOC\x1b[D": ["right", "left"],
        b"\x1b[5~\x1b[6~\x1b[H\x1b[4~": ["page-up", "page-down", "home", "end"],
        b"\t\x1b[Z\r\n\x7f": ["tab", "shift-tab", "enter", "enter", "backspace"],
        b"\x1b[1;5A?": ["?"],
        b"\x1b[200~": [],
        "é".encode(): ["é"],
        b"\x00\x01": [],
        b"\x1bq": ["escape", "q"],
    }
    assert {data: app.key_names(data) for data in names} == names
