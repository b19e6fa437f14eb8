from collections import Counter

import pytest

from actors.demo import expected, run
from zeke_jobs.cli.output import Console


def test_a_command_that_fails_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "zeke_news", lambda command: int(command[0] == "story"))
    found = expected.Results(2, Counter(), [{"chili": 3, "number": 7}], [], Counter())
    refused = run.show(Console(), found)
    assert refused == {"story 7": 1}
    all_done, all_well, *_ = run.checks(found, ["https://a.example/feed"], refused, is_done=True)
    assert (all_done.holds, all_well.holds) == (True, False)
