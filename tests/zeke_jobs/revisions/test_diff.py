"""A comparison of two files, without a database, lists every difference in effect."""

from datetime import UTC, datetime

import pytest

from tests.zeke_jobs.revisions.world import load
from zeke_jobs.cli.configuration.plan import change_lines
from zeke_jobs.config import Config
from zeke_jobs.revisions import diff

SCORE = "  score: {{handler: 'H:say'{}}}\n"
PULL = "  pull: {{handler: 'H:work', cron: {{at: '0 9 * * *', payload: {}}}}}\n"
WEB = "services: {{web: {{use: 'H:Address'{}}}}}"


def loaded(tasks: str, top: str = "") -> Config:
    return load(tasks, top, handlers=False)


def lines(before: Config, after: Config) -> list[str]:
    """Return the changed values as text lines."""
    return [line.strip() for line in change_lines(diff.changes(before, after)) if line.startswith("    ")]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("", ", settings: {words: []}", "settings.words: [dim]none[/] → []"),
        (", settings: {words: []}", "", "settings.words: [] → [dim]none[/]"),
        (", settings: {words: [a]}", ", settings: {words: []}", "settings.words: [a] → []"),
        ("", ", settings: {name: ''}", "settings.name: [dim]none[/] → ''"),
        ("", ", settings: {name: null}", "settings.name: [dim]none[/] → null"),
        (", settings: {name: null}", ", settings: {name: 'null'}", "settings.name: null → 'null'"),
        ("", ", settings: {deep: {}}", "settings.deep: [dim]none[/] → {}"),
        (", settings: {x: 1}", ", settings: {x: true}", "settings.x: 1 → true"),
        (", settings: {x: 0}", ", settings: {x: false}", "settings.x: 0 → false"),
        (", settings: {x: 1}", ", settings: {x: 1.0}", "settings.x: 1 → 1.0"),
        (", settings: {x: 1}", ", settings: {x: '1'}", "settings.x: 1 → '1'"),
        (", settings: {x: [1]}", ", settings: {x: [true]}", "settings.x: [red]-1[/] [green]+true[/]"),
        (", settings: {x: [a, a]}", ", settings: {x: [a]}", "settings.x: [a, a] → [a]"),
        (", settings: {x: [{y: 1}]}", ", settings: {x: [{y: true}]}", "settings.x: [red]-{y: 1}[/] [green]+{y: true}[/]"),
    ],
)  # fmt: skip
def test_every_value_of_settings_counts_with_its_type(before: str, after: str, said: str) -> None:
    found = [line.replace("\\[", "[") for line in lines(loaded(SCORE.format(before)), loaded(SCORE.format(after)))]
    assert found == [said]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (("{}", ""), ("{n: null}", ""), "cron.payload.n: [dim]none[/] → null"),
        (("{n: 1}", ""), ("{n: true}", ""), "cron.payload.n: 1 → true"),
        (("{}", ""), ("{words: ''}", ""), "cron.payload.words: [dim]none[/] → ''"),
        (("{}", ""), ("{}", ", url: ''"), "url: [dim]none[/] → ''"),
        (("{}", ", n: 1"), ("{}", ", n: true"), "n: 1 → true"),
    ],
)
def test_every_value_of_a_schedules_payload_and_of_a_service_counts_too(
    before: tuple[str, str], after: tuple[str, str], said: str
) -> None:
    both = [loaded(PULL.format(payload), WEB.format(service)) for payload, service in (before, after)]
    assert lines(*both) == [said]


def test_a_key_that_says_what_its_absence_says_is_no_change_and_a_sensitive_field_of_a_payload_is_masked() -> None:
    for key in ("description: ''", "aliases: []", "uses: []", "sensitive: []", "settings: {}", "retry: {factor: 2}"):
        assert lines(loaded(SCORE.format("")), loaded(SCORE.format(f", {key}"))) == [], key
    pull = "  pull: {{handler: 'H:work', sensitive: [n], cron: {}}}\n"
    for cron in ("{{at: '0 9 * * *', payload: {}}}", "[{{name: payload, at: '0 9 * * *', payload: {}}}]"):
        both = [loaded(pull.format(cron.format(f"{{n: {n}, m: {n}}}"))) for n in (1, 2)]
        assert [line.rpartition(".")[2] for line in lines(*both)] == ["n: '***' → '***'", "m: 1 → 2"]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        # The old task becomes an alias of an existing task.
        ("  two: {handler: 'H:work', aliases: [one]}\n", {"one": 0}),
        ("  two: {handler: 'H:work'}\n  new: {handler: 'H:work', aliases: [one]}\n", {"new": 0}),
        ("  two: {handler: 'H:work'}\n  new: {handler: 'H:work', aliases: [one], cron: '0 9 * * *'}\n", {}),
        ("  two: {handler: 'H:work', aliases: [one], cron: '0 9 * * *'}\n", {"one": 0, "two": 3}),
        ("  new: {handler: 'H:work', aliases: [one, two]}\n", {"one": 0}),  # Two tasks become one.
        ("  two: {handler: 'H:work'}\n", {"one": 0}),
    ],
)
def test_a_schedule_that_ends_with_its_tasks_name_is_said(after: str, said: dict[str, int]) -> None:
    before = loaded("  one: {handler: 'H:work', cron: '0 9 * * *'}\n  two: {handler: 'H:work'}\n")
    found = diff.fires(before, loaded(after), datetime(2026, 3, 10, tzinfo=UTC))
    assert {one.task: len(one.after) for one in found} == said
