"""Whether a sentence can be read alone: it needs no sentence before it, and names the speaker of its speech.

The words are those of some twenty languages; ``leaning.txt`` has words that refer to an earlier sentence from the
beginning of a later one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from actors.ai.gate.evidence import is_unspaced, tokens
from actors.ai.pronouns import PERSONS, POINTING, THIRD
from actors.calendar_names import WEEKDAYS

_STARTS = "|".join((files("actors.ai") / "leaning.txt").read_text(encoding="utf-8").splitlines())
_UNSPACED_STARTS = (
    "それ|これ|その|この|しかし|また、|そして|だが|さらに|ですが|なお|つまり|ただし|そこ|ここ|こう|そう|こんな|そんな|でも|だから|一方|次に"
    "|ほか|他にも|前回|前述|両者|同[社氏日]|彼|というと|まず|这|那|但|此外|同时|因此|他|她|它|其[中次他实]|该|对此|随后|另外|另一|据此|不过"
    "|然而|所以|于是|이는|이에|이를|그는|그녀|이들|그러나|하지만|또한|그리고|이런|그런|한편|이어"
)
_START = re.compile(rf"\W*(?:(?:{_STARTS})(?!\w)|(?:{_UNSPACED_STARTS}))")
_TIMES = "|".join(
    [
        "week|month|year|morning|evening|spring|summer|autumn|fall|winter|season|weekend|Woche|Monat|Jahr|Tage",
        "semaine|mois|année|été|semana|mes|año|mañana|mês|ano|settimana|mese|anno",
        *(name for names in WEEKDAYS.values() for name in names.split()),
    ]
)
_DATED = re.compile(rf"\W*(?:\w+ )?\w+ (?:past |last |same |coming |next )?(?:{_TIMES})", re.IGNORECASE)
"""``This week`` and ``Este martes`` point to the day of the story, not to the sentence before."""
_LINKED = re.compile(
    r"(?<=[\w,]) (?:however|jedoch|hingegen|toutefois|cependant|sin embargo|no obstante|tuttavia|no entanto|contudo|jednak"
    r"|azonban)\b|, (?:además|también|inoltre|auch|aussi),"
    r"|, (?:for example|for instance|zum Beispiel|par exemple|por ejemplo|per esempio|por exemplo),"
)
_PRONOUN = re.compile(rf"(?P<before>[^,.;:]{{2,60}}), (?:{THIRD}|{POINTING})(?:['\u2019]\w+)? (?!who\b)")
_EARLY = re.compile(rf"(?P<before>(?:[^\s,:]+ ){{1,4}})(?:{PERSONS})\b")
_POSSESSED = re.compile(
    r"(?P<before>(?:In|On|At|With|From|For|During|After|Under|By) [^,]{2,40}), (?:their|its|his|her)\b"
)
_SUBJECTLESS = re.compile(
    r"(?:Once|When|If|After|Before|Until|While) (?:being |not )?\w+(?:ed|en|ing),|[A-Z]\w+(?<!ing) (?:it|them)\b"
)
"""``Once whisked,`` and ``Cover it`` do not name their object."""
_PARTICIPLE = re.compile(
    rf"(?:[A-Z]\w+(?:ed|ing)|Set|Built|Made|Known|Born) [^,;:]*, (?:{THIRD}|{POINTING})\b"
    r"|[A-Z]\w+ing (?:at|into|over|down|up|away)\b"
)
"""``Priced between 10 and 20 euros, it is`` names its subject nowhere."""
_ROLE = re.compile(
    r"(?:[^,.]{2,40}, t|T)he (?:company|firm|startup|study|report|film|movie|game|book|author|agency|organi[sz]ation"
    r"|suspect|victim|bill|ruling|deal)(?:s\b|\b)(?! (?:of|that|which|who|behind|by|for|from|called|named)\b| [A-Z])"
    r"|(?:El|La|Los|Las) (?:mandatari[oa]|funcionari[oa]|entidad|empresa|dirigente|institución|organización|joven)\b"
    r"(?! (?:de|que)\b| (?:\w+ )?[A-Z])"
    r"|(?:Das|Der|Die) (?:Unternehmen|Firma|Verein|Studie|Konzern|Sprecher(?:in)?)\b(?! (?:der|des|von|aus)\b| [A-Z])"
    r"|(?:La société|L['\u2019]entreprise|L['\u2019]étude|L['\u2019]organisation)\b(?! (?:de|du)\b| d['\u2019]| [A-Z])"
    r"|[^,.;:]{2,60}, (?:that|this|these) (?:is|was|are|means?|makes?|gives?|leads?)\b|(?:\S+ ){1,5}such (?!as\b|an?\b)\w"
)
"""A subject that only the sentence before names."""
_ALSO = re.compile(
    r"(?:\S+ ){1,12}(?:also|auch|aussi|también|anche|também|też|również|ook|(?:la|el|l[oa]s) mism[ao]s?|l[ae]s? mêmes?"
    r"|derselben?|dieselben?|l[ao] stess[ao]|[ao] mesm[ao])\b"
)
"""Marks a sentence that continues one before it: ``also``, ``the same``."""
_ELSEWHERE = re.compile(
    r"\b(?:find|see|seen|listed|pictured|shown|described|mentioned|check|outlined|discussed|noted|read|for|list\w*)"
    r" (?:\w+ ){0,4}?(?:above|below)\b|\b(?:above-mentioned|the above)\b"
    r"|\b(?:the two|the latter|the former) (?:\w+ed|means?|meant|are|were|is|was|have|had|can|could|will|would)\b"
    r"|\b(?:siehe|wie) oben\b|\boben genannt|\bci-(?:dessous|dessus)\b|\b(?:vedi|qui) sotto\b|\b(?:poniżej|powyżej)\b",
    re.IGNORECASE,
)
"""Leads to another place of the page."""
_POINTING = re.compile(
    rf"(?:\S+ ){{1,6}}?(?:these|this|diese[mnrs]?|cette|cet|es[ao]s?|quest[aei]|هذا|هذه) (?!{_TIMES})", re.IGNORECASE
)
_NAMES = re.compile(
    r"(?<=\w )(?-i:[A-ZÀ-Ý])|\b(?:the|an?|each|every|der|die|das|den|dem|des|ein\w*|les?|la|l['\u2019]|une?|du|el|los|las)\b",
    re.IGNORECASE,
)
_MYSELF = re.compile(
    r"\b(?:I|I['\u2019]\w+|[Mm]y|me|myself|[Ii]ch|mich|mir|[Mm]eine?[mnrs]?|[Jj]['\u2019]\w+|moi|[Yy]o|[Ee]u|minha|meu|mnie|"
    r"moj[aeą]|[Mm]ój|\w+uję)\b|\bJe (?!nach|mehr|weniger|besser|\w+er\b)|[私僕俺]|個人的"
    r"|^(?:Szeretem|Imádom|Utálom|Szerintem|\w+نا)\b"
)
_SCRAP = re.compile(
    r"\([^()]*\)\W*$|(?:Because|Although|Since|Weil|Obwohl|Parce que|Porque) [^,;]*$"  # a remark, a clause without its main one
    r"|\d{1,3}[A-ZÀ-Ý][a-zà-ÿ]{3}"  # a footnote's number before its text
    r"|(?:\w+['\u2019 ]){0,3}\w+ ?: (?=[a-zà-ÿ])|\S+ (?:does|did): "  # an announcement, an answer
    r"|.*, the [\w.]+\.$"  # a list without its end
    r"|\d{1,2}\.? \w+ \d{4} ?: "  # an entry of a list
    r"|.*[!\uff01]$|.*\.\.\.|.*(?:\.\.|…|[?\uff1f])[\"'\u201d\u2019\u00bb)\]]*$"  # an unfinished sentence, a question
)
_QUOTATION = re.compile(
    r"\u201c[^\u201d]*\u201d|\u201e[^\u201c\u201d]*[\u201c\u201d]|\"[^\"]*\"|«[^»]*»|\u300c[^\u300d]*\u300d"
)
_TITLE_CASE = 0.7  # share of words with a capital from which on a text is a heading
_SYMBOL = re.compile(r"[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f]")
_ADDRESS = re.compile(
    r"\w\.https?://|https?://\S{20}|\(?\b\d{3}\)?[ .-]\d{3}[.-]\d{4}\b"
)  # a web address or a telephone number
_LONGEST = 600  # characters; a longer text is no sentence for a reader, and the bound keeps the patterns quick
_SPEECH = 25  # characters; a shorter quotation is a name or a term
_CLOSE = 4  # words around a speech in which its speaker's name is looked for
_WORD = re.compile(r"[^\W\d_][\w'\u2019.-]*")
_FULL_NAME = re.compile(r"[A-ZÀ-ÝА-Я][\w'\u2019-]+ (?:(?:de|del|da|von|van|der|al) )*[A-ZÀ-ÝА-Я][\w'\u2019.-]+")
_UNCASED = re.compile(r"[\u0600-\u06ff\u0900-\u097f\uac00-\ud7af]")
_SPEAKS_UNSPACED = re.compile(r"話|述べ|語[るっり]|説明|指摘|訴え|コメント|という|说|表示|称|指出|认为")
_ROLE_SPEAKS = re.compile(
    r"\b(?:[Tt]he (?:\w+ )?\w+ (?:said|told|warned|explained|added)|said (?:the|an?) \w+"
    r"|(?:[Ee]l|[Ll]a) [a-záéíóúñ]+ (?:señaló|recordó|dijo|afirmó|explicó|aseguró|indicó|sostuvo|agregó|añadió|asegura|advirtió)"
    r"|(?:dijo|afirmó|añade|añadió|señaló|aseguró) (?:el|la) [a-záéíóúñ]+|(?:acrescenta|disse|afirmou) [oa] [a-zà-ÿ]+)\b"
)
"""The speaker is named by a role alone: ``the expert warned``."""
_OF_IT = re.compile(
    r"\b(?:do|does|like|after|before|with|for|from|by|about|than|to|of|in|on) (?:this|that|these|those|it)[,.;]"
    r"|\bboth (?!and\b)\w+s\b(?! and\b)"
)
_TO_READER = re.compile(
    r"(?:(?:Because|If|When|Once|Whether|As|Now|Here) )?[Yy]ou(?:r|['\u2019]\w+)?\b"
    r"|(?:If|When|Once|Whether|As|After|Before|In|By|With|To|For|Until|While)\b[^,.]{2,90}, (?:you\b|you['\u2019]\w+"
    r"|(?:let|try|consider|start|begin|make|check|use|look|keep|invest|choose|take|remember|be|add|ask|go|get|give|put|set)\b)"
    r"|(?:Let['\u2019]s|Let (?:us|me|your?)|Feel free|Fear not|Don['\u2019]t|Do not|Be sure|Make sure"
    r"|Keep in mind|Consider|Remember|Imagine)\b"
    r"|[A-Z][a-z]+(?: (?:up|out|off|on|in|down|away|back|into|with|to|for|at))? you(?:r|rself)?\b"
    r"|(?:Add|Ask|Avoid|Bake|Book|Bring|Build|Buy|Call|Check|Choose|Click|Cover|Create|Cut|Discover|Download|Enjoy|Explore|Find"
    r"|Follow|Get|Give|Grab|Heat|Join|Keep|Learn|Lock|Make|Mix|Open|Pick|Place|Press|Prepare|Pull|Put|Read|Remove|Review|Save"
    r"|See|Select|Serve|Set|Share|Shop|Start|Stir|Take|Tell|Try|Turn|Use|Visit|Watch|Wear|Wrap|Write) "
    r"(?:the|an?|this|these|all|each|some|more|up|out|it|them|from|in|on|with|by|to)\b"
)
_YOU = re.compile(r"\b[Yy]ou(?:r|rs|rself)?\b")
_US = re.compile(
    r"\b(?:[Ww]e|[Oo]urs?|us|[Ww]ir|[Uu]nser\w*|[Nn]otre|[Nn]os|[Nn]uestr[oa]s?|[Nn]oss[oa]s?|[Nn]ostr[oaie])\b"
)
_FIGURE = re.compile(r"\d+")
_FIGURES = 2  # from this number on, figures among names come from a table
_MOST_MARKED = 0.6  # share of names and figures among the words of a sentence


def is_independent(text: str) -> bool:
    """Whether a sentence can be read alone."""
    return len(text) <= _LONGEST and not is_scrap(text) and not leans(text)


def is_told_to_reader(text: str) -> bool:
    """Whether a sentence begins by addressing the reader, as advice and adverts do."""
    return _TO_READER.match(text) is not None


def addresses_reader(text: str) -> bool:
    """Whether a sentence says ``you`` outside a quotation."""
    return _YOU.search(_QUOTATION.sub(" ", text)) is not None


def speaks_of_us(text: str) -> bool:
    """Whether a sentence says ``we`` outside a quotation, so that the reader cannot know the people meant."""
    return _US.search(_QUOTATION.sub(" ", text)) is not None


@lru_cache(maxsize=1024)
def leans(text: str) -> bool:
    """Whether a sentence refers to the one before it."""
    if (
        _LINKED.search(text)
        or _OF_IT.search(text)
        or _ELSEWHERE.search(text)
        or _SUBJECTLESS.match(text)
        or _ALSO.match(text)
        or _ROLE.match(text)
        or _PARTICIPLE.match(text)
    ):
        return True
    if _START.match(text) and not _DATED.match(text):
        return True
    early = _PRONOUN.match(text) or _EARLY.match(text) or _POSSESSED.match(text)
    return bool(_POINTING.match(text)) or (early is not None and not _NAMES.search(early["before"]))


@lru_cache(maxsize=1024)
def is_scrap(text: str) -> bool:
    """Whether a text is unfinished, an entry of a list, or speech without its speaker's name."""
    around = _QUOTATION.sub(" ", text)
    if (
        _SCRAP.match(text)
        or _ADDRESS.search(text)
        or _SYMBOL.search(text)
        or _MYSELF.search(around)
        or not _names_speaker(text)
    ):
        return True
    if _ROLE_SPEAKS.search(around) and not _FULL_NAME.search(around):
        return True
    said = tokens(text)
    marked = sum(not word[0].islower() for word in said)
    if is_unspaced(text):
        return False
    return marked > (_MOST_MARKED if len(_FIGURE.findall(text)) >= _FIGURES else _TITLE_CASE) * len(said)


def speech(text: str) -> list[re.Match[str]]:
    """The quotations of a text that are long enough to be speech."""
    return [one for one in _QUOTATION.finditer(text) if len(one.group()) > _SPEECH]


def _names_speaker(text: str) -> bool:
    """Whether a full name is close to the speech, or a name next to it."""
    parts = _QUOTATION.sub(lambda one: "\n" if len(one.group()) > _SPEECH else " ", text).split("\n")
    if len(parts) == 1 or any(_FULL_NAME.search(part) for part in parts):
        return True
    if is_unspaced(text):
        return _SPEAKS_UNSPACED.search("".join(parts)) is not None
    words = [_WORD.findall(part) for part in parts]
    words[0] = words[0][1:]  # a first word has a capital in any case
    near = [word for part in words[:-1] for word in part[-_CLOSE:]] + [
        word for part in words[1:] for word in part[:_CLOSE]
    ]
    return any(word[0].isupper() or _UNCASED.match(word) for word in near if not _START.fullmatch(word))
