"""A highlight is read without its page: what it may lean on is the headline."""

import pytest

from actors.insights.candidates import Candidate, Kind
from actors.insights.subject import Page

WATCHES = "Best GPS Watches of 2026"
THERMOSTAT = "Is a smart thermostat worth its price?"
POLO = "Mayor Ada Kern opens the port of Velm"


def shown(title: str, sentence: str, *, after: str = "", more: str = "", kind: Kind = "metric") -> bool:
    document = f"{sentence} {after}\n\n{more}"
    return Page(document, title).can_show(Candidate(kind, sentence, sentence, 0, len(sentence)))


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        (THERMOSTAT, "A smart thermostat saves between 10 and 12 percent on heating."),
        (THERMOSTAT, "The average thermostat saves 12 percent on heating."),
        (THERMOSTAT, "Since 2013, customers of Ecobee have saved 23 percent on heating."),
        (THERMOSTAT, "The tariffs of Georgia Power fell by 12 percent in the spring."),
        (THERMOSTAT, "The utilities that Georgia Power owns grew by 12 percent."),
        (THERMOSTAT, "The 12 towns have bought a smart thermostat."),
        (
            THERMOSTAT,
            "A smart thermostat saves 12 percent of the heat that flows on a day in winter out of wood or brick, and these are few.",
        ),
        (WATCHES, "The Suunto Run lasts for 40 hours on one charge."),
        (WATCHES, "Most GPS watches are accurate within 3 percent."),
        ("", "Prices fell by 12 percent in the spring."),
        ("Die Bahn schließt Lounges", "Die Deutsche Bahn streicht 12 Prozent der Lounges."),
        ("新聞を切り抜くペン", "CUTPENの価格は前の年より12%下がっている。"),
        (POLO, "“The port of Velm will bring 900 jobs to the whole of the coast,” said Ada Kern."),
    ],
)
def test_what_names_its_subject_may_be_shown(title: str, sentence: str) -> None:
    assert shown(title, sentence)


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        # no name and no word of the headline where the subject stands
        (THERMOSTAT, "Scholarships up to $25,000 are available for students of 2026."),
        (
            THERMOSTAT,
            "Costs have fallen by 12 percent on average, and most of it came in the spring, wrote Georgia Power.",
        ),
        (
            THERMOSTAT,
            "Costs have fallen by 12 percent on average, and most of it came in the spring of last year, says a maker of thermostats.",
        ),
        ("Das Werk in Velm", "In dem Jahr wuchs der Umsatz nicht, und er sank mit der Zeit um 12 Prozent."),
        ("新聞を切り抜くペン", "価格は前の年より12%下がっている。"),
        # of a list, no name of its own
        (WATCHES, "Battery life is nearly 60 hours of full-accuracy GPS on a single charge."),
        ("12 quiet fans", "Blades of steel turn 12 percent faster in the heat."),
        # a noun that only the page explains
        (THERMOSTAT, "The mayor fell by 12 percent in a poll that Georgia Power paid."),
        (THERMOSTAT, "In only six months, the mayor gained 12 percent in a poll."),
        (THERMOSTAT, "The woman of 21 years has a smart thermostat."),
        ("La universidad elige", "La rectora ganó un 12 % en la universidad."),
        ("Das Werk in Velm", "Die Hochschule verlor 12 Prozent, und nicht nur bei einem Werk in Velm."),
        (THERMOSTAT, "Smart thermostats cost the country as much as 5.4 percent."),
        # here, this affair, the same year
        (THERMOSTAT, "A smart thermostat saves 12 percent here."),
        (THERMOSTAT, "A smart thermostat saves 12 percent in these houses."),
        ("Modem mis en examen", "Une douzaine de responsables du Modem sont cités dans cette affaire."),
        ("Die Plejaden", "Die Plejaden sind hier zu 12 Prozent verdeckt."),
        (THERMOSTAT, "Sales of smart thermostats grew by 12 percent in the same year."),
        # talk to the reader and of us
        (THERMOSTAT, "Your smart thermostat saves 12 percent on heating."),
        (THERMOSTAT, "A smart thermostat saves you 12 percent on heating."),
        ("Die Therme in Bad Velm", "In der Therme in Bad Velm sparen Sie 12 Prozent."),
        ("Die Therme in Bad Velm", "In der Therme in Bad Velm könnt ihr euch 12 Stunden lang verwöhnen."),
        (THERMOSTAT, "A smart thermostat saves our customers 12 percent."),
        (THERMOSTAT, "Apply up to 12 percent to a smart thermostat."),
        # a label, an entry of a list
        (THERMOSTAT, "Price of a smart thermostat: Five tiers from 14 to 99 dollars."),
        (THERMOSTAT, "Smart thermostats - rapid growth with 12 percent a year."),
        # somebody whom only the page names
        (THERMOSTAT, "A smart thermostat is enough for 95 percent, he said, and people should buy one."),
        (THERMOSTAT, "New sources close to her smart thermostat speak of 12 percent."),
        # speech: without a full name, too short to say anything, and of a list, where sellers speak
        (POLO, "“The port of Velm will bring 900 jobs to the whole of the coast,” said Smith."),
        (POLO, "“We have quite different worries,” said Tom Berg."),
        (WATCHES, "“Our GPS watches are the best that anybody can buy for the money,” said Tom Berg of Suunto."),
        # a Japanese sentence without a verb
        ("さくら小町の食堂", "さくら小町の食堂で暮らす偉人たちの一角。"),
    ],
)
def test_what_leans_on_its_page_is_not_shown(title: str, sentence: str) -> None:
    assert not shown(title, sentence)


def test_a_last_name_is_enough_only_where_the_headline_has_it() -> None:
    sentence, more = "Kern says the port costs $7,100 a day.", "The mayor is Ada Kern."
    assert shown(POLO, sentence, more=more)
    assert not shown("A port for Velm", sentence, more=more)


def test_an_office_with_a_capital_is_no_name() -> None:
    sentence = "The Dean presented the plan for 12 new classes in Velm."
    assert not shown("Classes in Velm", sentence.replace(" in Velm", ""), more="In May, the Dean left.")
    assert shown("Plans in Velm", sentence.replace("Dean", "Suunto Run"))


def test_what_the_next_sentence_takes_back_is_not_shown() -> None:
    sentence = "The future of the port of Velm is actually bright."
    assert shown(POLO, sentence, after="Ships come.", kind="insight")
    assert not shown(POLO, sentence, after="Kind of.", kind="insight")
    assert not shown(POLO, sentence, after="But nobody comes.", kind="insight")


def test_a_figure_stays_when_the_next_sentence_has_another_side() -> None:
    assert shown(POLO, "The port of Velm grew by 12 percent.", after="However, it had been small.")


def test_a_page_with_code_may_talk_and_is_about_what_it_says_most() -> None:
    code = "Shards.\n\n" * 3 + "```python\nrun()\n```"
    assert shown("A wizard's apprentice", "You cut the load of shards by 12 percent.", more=code)
    assert not shown("A wizard's apprentice", "You cut the load of shards by 12 percent.", more="Shards.\n\n" * 3)
    assert shown(THERMOSTAT, "Callers get 12 percent more of `turn()`.")
    assert not shown(THERMOSTAT, "Callers get 12 percent more of turns.")
    assert shown("A wizard's apprentice", "Rotate keys that were in use before Monday.", more=code, kind="action")


def test_a_central_sentence_has_a_word_of_the_headline_and_is_never_told_to_the_reader() -> None:
    sentence = "Georgia Power lowers its tariffs by 12 percent."
    assert shown(THERMOSTAT, sentence)
    assert not shown(THERMOSTAT, sentence, kind="insight")
    assert shown(THERMOSTAT, f"{sentence[:-1]} for a smart home.", kind="insight")
    code = "\n```python\nrun()\n```"
    assert shown(THERMOSTAT, "A thermostat costs you less.", kind="insight", more=code)
    assert not shown(THERMOSTAT, "You can try a thermostat.", kind="insight", more=code)


def test_a_claim_that_a_fact_check_refutes_is_not_shown() -> None:
    sentence = "The port of Velm lost 12 percent of its ships."
    claim = "Posts claim that the port of Velm lost 12 percent of its ships."
    assert shown("The port of Velm", sentence, more=claim)
    assert not shown("The port of Velm", sentence, more=f"{claim}\n\nThis is a fact-check.")
