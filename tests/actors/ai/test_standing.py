# ruff: noqa: RUF001 (Cyrillic, Arabic and Japanese sentences, and their marks)
import pytest

from actors.ai.standing import is_scrap, is_told_to_reader, leans
from actors.ai.subject import stands_alone

NEEDS_THE_ONE_BEFORE = [
    "That figure has continued to drop, with exports sinking to $1.3 billion.",
    "For context, that’s less than 2% of annual federal revenues.",
    "When asked, they said that nothing had changed since the autumn.",
    "These groups dictate when and how much you should prune.",
    "When you do this, you can count on steady growth of the business.",
    "Das ist zugleich der Grund dafür, dass die F13 am Boden bleiben wird.",
    "Il a cependant été observé que seulement 20 % des trottinettes ont été garées.",
    "Los vecinos pidieron, además, que la empresa pague los daños.",
    "Les pidieron que no dejaran solos a los vecinos del puerto.",
    "Il a fermé le port aux bateaux pour toute la semaine.",
    "Detalló que la Asamblea trabaja para desarrollar un marco normativo.",
    "Inoltre, mediamente, solo il 50% dei nati sopravvive al primo anno.",
    "Jak zapowiedział, KO wstrzyma się od głosu w tej sprawie.",
    "وهذا التذبذب يتضح من خلال مشاركة السودان في الحرب.",
    "これがRustにもないのが残念でした。",
    "Once whisked, add in the flour and salt.",
    "Cover it with plastic wrap and let it sit for an hour.",
    "As pictured above, the corner of the dough is folded over.",
    "Usually by around 2 years of age, they are only taking one nap.",
    "In our testing, their noise canceling stood out by far.",
    "Support is also a weak spot of the whole product.",
    "Ten of those firms grew by more than a third.",
    "The company recently launched a new system for agents.",
    "In only six months, the company’s audience doubled.",
    "Costs for such projects range from 400 to 800 dollars.",
    "De acuerdo con la misma entidad, las protestas siguen en el país.",
    "Priced between 10 and 20 euros, it is the cheapest pass.",
    "By orchestrating models and human review, they reduced the work to days.",
    "For users who want a larger screen on the arm, these devices cost 100 dollars.",
    "With a 9.82 performance score, it ranks among the best.",
    "Available in soft and firm, it’s a match for couples.",
    "In the wake of that outbreak, China improved its detection.",
    "Much of its influence comes from naturally occurring antioxidants.",
    "Wheat, in contrast, may see larger crops by the end of the century.",
    "Andrew has no memory of the photograph of the girl, either.",
    "Mittlerweile vergeht kein Wochenende ohne Streit um den Schiedsrichter.",
]
NAMES_WHAT_IT_TELLS_OF = [
    "This week the city council of Montréal banned the scooters.",
    "Este martes la Procuraduría informó de los bloqueos en el país.",
    "When the United States slaps tariffs on goods, it is importers that pay.",
    "Die Deutsche Bahn streicht den Zutritt zu ihrer Lounge.",
    "CUTPENは新聞スクラップ用のペンだ。",
    "The company that owns Kessler has bought two more firms.",
    "At Anthropic, engineers write most of the code with a model.",
    "Next week the council of Velm votes on the plan for the dock.",
    "Les habitants de Velm ont reconstruit le moulin de la vallée.",
    "Il governo di Velm ha chiuso il porto per tutta la settimana.",
    "Car parks at the dock of Velm are full from nine in the morning.",
]
SCRAPS = [
    "“It has the potential to change how we work in every ward,” the expert warned.",
    "“Si el vehículo está en poder de la Policía, es imposible”, aseguró a la red Unitel.",
    "I am totally that person for my family when it comes to the latest phones.",
    "Melbourne (3-0): Osas Osaro 3 goals, 1 assist.",
    "Richtig: dampfendes Thermalwasser, kristallklare Luft und gutes Essen.",
    "(Related reading: most common data types and big data analytics.)",
    "A New York man pleaded guilty to threatening Rep. Ilhan Omar, the U.S.",
    "Because it turns out that nobody needs to learn all of it.",
]
SPEECH_WITH_ITS_SPEAKER = [
    "“It has the potential to change how we work in every ward,” says André Neu of Ascom.",
    "“Coincidencialmente en el sector hay una sede de una de las campañas”, dijo Lopera.",
    "The rule for Group 1 is “prune only if it is really necessary”, Ada Kern wrote.",
]


@pytest.mark.parametrize("sentence", NEEDS_THE_ONE_BEFORE + NAMES_WHAT_IT_TELLS_OF)
def test_a_sentence_that_needs_the_one_before_it_leans_and_one_that_names_what_it_tells_of_does_not(
    sentence: str,
) -> None:
    assert leans(sentence) is (sentence in NEEDS_THE_ONE_BEFORE)


@pytest.mark.parametrize("sentence", SCRAPS + SPEECH_WITH_ITS_SPEAKER + NAMES_WHAT_IT_TELLS_OF)
def test_a_scrap_and_a_speech_without_the_name_of_its_speaker_are_not_shown(sentence: str) -> None:
    assert is_scrap(sentence) is (sentence in SCRAPS)


def test_what_is_told_to_the_reader() -> None:
    assert is_told_to_reader("Your to-do list will shrink to 25% of its size.")
    assert not is_told_to_reader("Young people read 25% less.")


TITLE = "Mill of Velm burns"
DOCUMENT = (
    "The mill of Velm burned on Monday. Mara Lind runs the mill, and sells flour in Orrin. The new version of its wheel turns fast. "
    "A company owns it. Nobody likes the company. Nobody knows the company."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "The new version grinds 40 sacks of flour an hour for Orrin.",
        "The mill of Velm burned before Lind came home.",
        "The mill of Velm burned before the company paid its bakers.",
        "In the autumn of that year, the company closed two of its shops in Orrin.",
        "On Monday, people from all over the valley came to Orrin.",
        "The mill of Velm burned before we came home.",
        "“They grind it in a single night for all of the valley,” said Mara Lind, the miller.",
        "The mill of VelmMore about Orrin burned before dawn.",
        "Bakers in Orrin know these mills from the days of the war.",
    ],
    ids=["a subject told before", "a last name", "a noun told before", "after an introduction", "a day is no name", "its author speaks", "in speech",
         "run together", "pointing"],
)  # fmt: skip
def test_a_sentence_about_what_was_told_before_does_not_stand_alone(sentence: str) -> None:
    assert not stands_alone(sentence, TITLE, f"{DOCUMENT} {sentence}")


@pytest.mark.parametrize(
    "sentence",
    [
        "The mill grinds 40 sacks of flour an hour for the valley.",
        "The wheel of Mara Lind turned for the last time in the autumn.",
        "Mara Lind added that the river is too low in summer.",
        "In the autumn of 2019, Mara Lind closed two of her shops.",
        "About 40 shops in the valley have closed since the war.",
        "“Flour is dear in all of Orrin this year,” said the miller Mara Lind.",
    ],
)
def test_a_sentence_that_names_its_subject_stands_alone(sentence: str) -> None:
    assert stands_alone(sentence, TITLE, f"{DOCUMENT} {sentence}")


def test_where_nouns_have_capitals_a_noun_is_no_name() -> None:
    document = "Die Mühle von Velm ist am Montag mit dem Rad und dem Haus verbrannt. Bäcker aus der Stadt holten das Mehl im Tal."
    assert stands_alone("Die Mühle hatte 40 Räder und ein Haus am Fluss.", "Mühle in Velm verbrannt", document)
    assert not stands_alone(
        "Die Räder liefen im Herbst nur noch langsam im Fluss.", "Mühle in Velm verbrannt", document
    )
