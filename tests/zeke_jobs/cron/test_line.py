"""These tests cover valid cron lines, and the reasons for refusing others."""

import pytest

from zeke_jobs.cron.calendar import SHORTHANDS, CronError, parse

SAME = {
    "@weekly": "0 0 * * 0", "@yearly": "0 0 1 jan *", "@Daily": "0 0 * * *", "0 9 * * 7": "0 9 * * 0", "0 9 * * sun": "0 9 * * 0",
    "0 9 * * SUN": "0 9 * * 0", "0 9 * * sat-sun": "0 9 * * 6,0", "0 9 * * 5-7": "0 9 * * fri,sat,sun", "0 9 * * 1-fri": "0 9 * * mon-fri",
    "0 0 1 jan-mar/2 *": "0 0 1 1,3 *", "0-59/20,7 * * * *": "0,7,20,40 * * * *", "  05\t4 * * *  ": "5 4 * * *",
}  # fmt: skip


def test_two_spellings_of_one_schedule_mean_the_same_and_the_text_is_kept_as_it_was_written() -> None:
    assert [(one, other) for one, other in SAME.items() if parse(one) != parse(other)] == []
    for word in ("mon-sun", "0-6", "sun-sat", "0-7", "1-7"):
        assert parse(f"0 0 * * {word}").weekdays == frozenset(range(7))
    assert parse("0 0 30 2 mon").weekdays == {1}, "an impossible date beside a weekday, which comes"
    for text in ("@weekly", " */5 *  * * * ", "0 9 * * Mon-Fri"):
        assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected five fields (minute, hour, day of month, month, day of week), got 0"),
        ("* * *", "expected five fields (minute, hour, day of month, month, day of week), got 3"),
        ("0 * * * * *", "expected five fields (minute, hour, day of month, month, day of week), got 6; seconds and years are not part of a cron line"),
        ("61 * * * *", "expected minute 0-59, got 61"),
        ("0 24 * * *", "expected hour 0-23, got 24"),
        ("0 0 0 * *", "expected day of month 1-31, got 0"),
        ("0 0 1 13 *", "expected month 1-12 or jan-dec, got 13"),
        ("0 0 * * 8", "expected day of week 0-7 or sun-sat, got 8"),
        ("0 0 * * Monday", "expected day of week 0-7 or sun-sat, got 'Monday'; write mon"),
        ("mon * * * *", "expected minute 0-59, got 'mon'"),
        ("*/90 * * * *", "expected a step of 1 to 59 for minute, got '*/90'; steps start anew with each hour, so none can be longer"),
        ("*/0 * * * *", "expected a step of 1 to 59 for minute, got '*/0'"),
        ("5/15 * * * *", "expected a range or * before the step, got minute '5/15'; write 5-59/15"),
        ("0 22-2 * * *", "expected a range that ends after it begins, got hour '22-2'; write 22-23,0-2"),
        ("0 0 * * fri-mon", "expected a range that ends after it begins, got day of week 'fri-mon'; write fri-sat,sun-mon"),
        ("0 0 L * *", "expected day of month 1-31, got 'L'; L, W, # and ? belong to other dialects of cron"),
        ("0 0 * * 5L", "expected day of week 0-7 or sun-sat, got '5L'; L, W, # and ? belong to other dialects of cron"),
        ("0 0 * * 1#2", "expected day of week 0-7 or sun-sat, got '1#2'; L, W, # and ? belong to other dialects of cron"),
        ("0 0 ? * 1", "expected day of month 1-31, got '?'; L, W, # and ? belong to other dialects of cron"),
        ("0 0 30 2 *", "expected a day that comes, got day 30 of feb; no such month is that long, so this would never fire"),
        ("0 0 31 feb,apr,6 *", "expected a day that comes, got day 31 of feb, apr, jun; no such month is that long, so this would never fire"),
        ("0 0 30 2 */2", "expected a day that comes, got day 30 of feb; no such month is that long, so this would never fire"),
        ("@reboot", f"expected one of {', '.join(SHORTHANDS)}, got '@reboot'; a schedule has times, not events"),
        ("@every 5m", f"expected one of {', '.join(SHORTHANDS)}, got '@every 5m'; write the five fields"),
    ],
)  # fmt: skip
def test_a_refusal_gives_its_reason(text: str, reason: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(text)
    assert str(caught.value) == reason
    assert reason.startswith(caught.value.reason)
    assert reason.endswith(caught.value.help)


def test_stray_characters_are_refused() -> None:
    for text in ("1,,2", "*-5", "-5", "٣", "+5", "1-2-3"):
        with pytest.raises(CronError, match="expected minute 0-59"):
            parse(f"{text} * * * *")
