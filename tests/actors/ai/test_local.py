import uuid
from typing import Any

import pytest
from hypothesis import given, strategies as st

from actors.ai import Settings
from actors.ai.chili import Chili
from actors.ai.protocol import Story
from tests.each import cases

DOCUMENT = (
    "# Signed packages\n\nThe registry now signs **every** package that a maintainer uploads. Packages are signed in the "
    "maintainer's own pipeline, so that a stolen token alone is not enough. Old versions stay as they are.\n\n"
    "## What to do\n\nNobody needs to act before June. Is that soon? Mirrors check the signature before they copy a file."
)
RAIN = "Rain of the whole night filled the valley of Velm. People slept in schools and in the old town hall."


def story(document: str = DOCUMENT, title: str = "Signed packages", **fields: Any) -> Story:
    return Story(uuid.UUID(int=1), title, document, **fields)


def one_liner(document: str, title: str, **fields: Any) -> str | None:
    return Settings().open().brief(story(document, title, **fields)).one_liner


@given(st.text(max_size=300))
def test_any_document_can_be_analysed(document: str) -> None:
    analyst = Settings().open()
    analysis = analyst.analyze(story(document))
    assert 0 <= analysis.chili <= 5
    assert analysis.why_it_matters is None, "only a model says why"
    analyst.brief(story(document))
    analyst.summarize(story(document))
    assert len(analyst.embed(story(document)).vector) == 1536


def test_the_chili_formula_is_that_of_the_documentation() -> None:
    chili = Chili(keywords=("registry", "token", "llama"))
    told_by_3 = chili.rescore(*chili.score(story(authority=0.9, age_days=3.5)), 3)
    assert told_by_3 is not None
    value, breakdown = told_by_3
    assert breakdown["found"] == ["registry", "token"]
    expected = 0.30 * 0.9 + 0.35 * 2 / 5 + 0.20 * 2 / 3 + 0.15 * 0.5
    assert breakdown["value"] == round(expected, 3)
    assert value == round(5 * expected)


def test_what_a_fact_check_calls_a_claim_is_not_told_as_a_fact() -> None:
    document = (
        "Claim: A photo shows the bridge of Ansel falling into the river last week.\n\nVerdict: False. The photo is from a film of 2011.\n\n"
        "Posts say that the photo shows the bridge of Ansel falling into the river. The city's engineers inspected the bridge on Monday and "
        "found it intact. The photo was altered so that the name of the film cannot be seen."
    )
    told = story(document, "Fact check: The bridge of Ansel did not fall")
    brief = Settings().open().brief(told)
    for text in (brief.one_liner, brief.two_liner, brief.elevator, Settings().open().summarize(told).text):
        assert "Claim:" not in (text or "")


def test_a_one_liner_never_says_what_the_headline_says() -> None:
    for sentence in ("The dam at Orrin breaks in the night.", "At Orrin the dam breaks."):
        brief = Settings().open().brief(story(f"{sentence} {RAIN}", title="Dam at Orrin breaks in the night"))
        assert (brief.one_liner, brief.two_liner) == (RAIN.partition(".")[0] + ".", RAIN)


@cases(
    "title document",
    ("10 mills of Velm", "{}"),
    ("The best mills of Velm", "## One\n\n{}\n\n## Two\n\nA mill has stones.\n\n## Three\n\nIt turns."),
    ("Flood stops mills of Velm", "## One\n\n## Two\n\n## Three\n\n{}" + "\n\nThe council met in May." * 9),
    ("Flood stops mills of Velm", "- One mill.\n- Another mill.\n- A third mill.\n\n{}"),
    ("Flood stops mills of Velm", "{} You should see your mill. You can buy it. You get yours now at the shop."),
    ("Flood stops mills of Velm", "Price: 3\n\nSize: 4\n\nColour: red\n\n{}"),
    ids=["a list by its headline", "several things", "many headings", "items", "an advert", "labels"],
)
def test_a_list_a_guide_a_review_of_several_things_or_an_advert_has_no_one_liner(title: str, document: str) -> None:
    told = "The mills of Velm stood still in May 1990, and bread was short in the whole valley of Orrin."
    long = "\n\n".join(f"The council of Velm met for the {number}th time in May." for number in range(20))
    for more in ("", f"\n\n## One\n\n## Two\n\n## Three\n\n{long}"):  # An article of news may have three headings.
        assert one_liner(f"{told} {RAIN}{more}", "Flood stops mills of Velm") == told
    assert one_liner(document.format(f"{told} {RAIN}"), title) is None


@cases(
    "description is_told",
    ("Long rain broke the dam of Orrin while people slept in schools of Velm.", True),
    # A sentence without a full stop may have been cut off.
    ("Long rain broke the dam of Orrin while people slept in schools of Velm", False),
    ("Long rain broke the dam of Orrin while people slept in schools of Velm...", False),
    ("Long rain broke forty dams of Orrin while people slept in schools of Velm.", False),
    ("The dam of Orrin: “It was the rain that broke it in the night,” Mara Lind said.", False),
    ("Learn how long rain broke the dam of Orrin while people slept in schools of Velm.", False),
    ("From the dam of Orrin, learn how the long rain of the night broke it.", False),
    ("Erfahren Sie, wie the long rain broke the dam of Orrin while people slept in schools of Velm.", False),
    ("Long rain broke your dam of Orrin while people slept in schools of Velm.", False),
    ("long rain broke the dam of Orrin while people slept in schools of Velm.", False),
    ("Breaking news, sport, travel and weather from around the world.", False),
    ("", False),
    ("The dam broke, and 50 people of Velm lost their houses.", True),
    # No single sentence of the story says "12 of 50".
    ("The dam broke, and 12 of 50 people of Velm lost their houses.", False),
    ("The dam of Ansel broke, and 50 people of Velm lost their houses.", False),
)
def test_the_pages_description_is_told_if_whole_and_borne_out_by_the_text(description: str, is_told: bool) -> None:
    numbers = "At Orrin 50 people of Velm lost their houses when the dam broke. Its 12 gates had been shut by nobody."
    document = f"{RAIN} Nobody had opened the gate of it when the dam broke above Orrin. {numbers}"
    assert one_liner(document, "Dam at Orrin breaks", description=description) == (description if is_told else None)


TOLD = "The dam of Orrin broke in the night after the heavy rain of 2019."


@cases(
    "opening told",
    pytest.param("He was right.", TOLD, id="leans"),
    pytest.param("Daraufhin öffnete die Stadt Orrin den Damm am Abend ganz.", TOLD, id="leans in German"),
    pytest.param("We opened the dam of Orrin in the evening of the day.", TOLD, id="is its author's doing"),
    pytest.param("The dam of Orrin broke under the heavy rain of 2019!", TOLD, id="is a cry"),
    pytest.param("The dam at Orrin breaks.", TOLD, id="says what the headline says"),
    pytest.param("The dam of Orrin holds the cold water of a long and quiet valley.", TOLD, id="names nothing new"),
    pytest.param("Mara Lind left Orrin for Velm.", TOLD, id="is too short to tell much"),
    pytest.param("Once the dam of Orrin was full of the quiet mills of 1990.", TOLD, id="is background"),
    pytest.param("I never saw so much rain at the dam of Orrin as in 1990.", TOLD, id="is its author's"),
    pytest.param("Nobody opened the gate in time.", "The dam was built in the year 1990 by the people of Velm.", id="is beside it"),
)  # fmt: skip
def test_a_later_sentence_is_told_where_the_opening(opening: str, told: str) -> None:
    assert one_liner(f"They had warned of it for years. {opening} {told} {RAIN}", "Dam at Orrin breaks") == told


def test_a_list_or_a_guide_is_told_by_its_description_alone_if_that_names_more() -> None:
    document = f"The 40 mills at the dam of Orrin grind flour for two valleys, and one mill is for sale in May. {RAIN}"
    more, less = (f"The{number} mills at the dam of Orrin grind flour for two valleys." for number in (" 40", ""))
    for description, told in ((more, more), (less, None), ("", None)):
        assert one_liner(document, "The best mills of Orrin", description=description) == told


BROKEN = "Orrin \N{EN DASH} a town of 40 mills in Velm \N{EN DASH} lost its dam in the night after heavy rain."
DAM = "The dam of Orrin broke in the night after the heaviest rain in Velm since the year in which the old town hall was built"


@cases(
    "lead told",
    pytest.param(f"{DAM}.", f"{DAM}.", id="whole"),
    pytest.param(f"ORRIN, Velm (ABC) — {DAM}.", f"{DAM}.", id="without its dateline"),
    pytest.param(f"*Orrin, Vel. —*\u00a0{DAM}.", f"{DAM}.", id="without an abbreviated dateline"),
    pytest.param(f"Velm (ABC) {DAM}.", None, id="with an agency in it"),
    pytest.param(BROKEN, BROKEN, id="dashes within it"),
    pytest.param(f"{DAM}, while people slept in schools.", None, id="not a part of a longer one"),
)
def test_a_one_liner_is_a_whole_sentence(lead: str, told: str | None) -> None:
    assert one_liner(f"{lead} {RAIN}", "Dam at Orrin breaks") == told


def test_a_story_in_chinese_has_a_brief_and_a_summary() -> None:
    document = (
        "云岭市宣布建成国内首座海水储能电站。总投资达到十二亿元人民币。电站利用夜间多余的风电把海水抽到山上的水库。"
        "海水会腐蚀设备、导致电站的建设延后、工程师用了六年才完成。市环保局表示将在五个点位监测水温并公布结果。"
    )
    analyst = Settings().open()
    told = story(document, "云岭市建成首座海水储能电站")
    brief = analyst.brief(told)
    assert all((brief.one_liner, brief.two_liner, brief.elevator))
    assert analyst.summarize(told).text
