"""Has the names of months and days of the week."""
# ruff: noqa: RUF001 (months in their own scripts)

MONTH_STARTS = (
    "jan gen ene ian oca янв січ ιαν sty led tammi يناير كانون الثاني",
    "feb fev fev şub sub фев лют φεβ lut uno helmi فبراير",
    "mar maa mrt mrz мар бер μαρ bre maalis مارس",
    "apr abr avr nis апр кві απρ kwi dub huhti ápr أبريل ابريل",
    "may mai maj mag mei мая май тра μαι maio kve touko مايو",
    "jun juin giu iun haz июн чер ιουν cze cerv kesa يونيو",
    "jul juil lug iul tem июл лип ιουλ lip cervenc heina يوليو",
    "aug ago aou agu agt agost авг сер αυγ sie srp elo أغسطس اغسطس",
    "sep set eyl сен вер σεπ wrz zar syys szept سبتمبر",
    "oct okt out ott eki окт жов οκτ paz rij loka أكتوبر اكتوبر",
    "nov noi noe kas ноя лис νοε lis marras نوفمبر",
    "dec dez des dic dek ara дек гру δεκ gru pro joulu ديسمبر",
)
"""The beginnings of each month's names, without accents, in languages that write dates in feeds: most of Europe's,
Turkish, Indonesian and Arabic. A beginning that means different months in two languages is left out."""

MONTHS = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
"""The full names that mean a month even within a sentence, by language, January first."""

WEEKDAYS = {
    "en": "monday tuesday wednesday thursday friday saturday sunday",
    "de": "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "pt": "segunda terça quarta quinta sexta sábado domingo",
    "nl": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
    "ru": "понедельник вторник среда|среду четверг пятница|пятницу суббота|субботу воскресенье",
}
"""The days of the week by language, Monday first; forms of one name are separated by bars."""

CALENDAR = frozenset(" ".join([*MONTHS.values(), *WEEKDAYS.values()]).replace("|", " ").split())
"""All full names of months and days of the week."""
