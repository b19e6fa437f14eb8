"""Words for numbers, scales, shares, money and units, of several languages."""

from __future__ import annotations


def _table(text: str) -> dict[str, float]:
    """A table from lines of a value and its words."""
    rows = (line.split() for line in text.strip().splitlines())
    return {word: float(value) for value, *words in rows for word in words}


WORDS = _table("""
    2 two zwei deux dos due
    3 three drei trois tres tre
    4 four vier quatre cuatro quattro
    5 five fünf cinq cinco cinque
    6 six sechs seis sei
    7 seven sieben siete sette
    8 eight acht huit ocho
    9 nine neun nueve nove
    10 ten zehn dix diez dieci
    11 eleven elf onze once
    12 twelve zwölf douze doce dodici dozen dutzend douzaine docena
    13 thirteen dreizehn treize trece
    14 fourteen vierzehn quatorze catorce
    15 fifteen fünfzehn quinze quince
    16 sixteen sechzehn seize
    17 seventeen siebzehn
    18 eighteen achtzehn
    19 nineteen neunzehn
    20 twenty zwanzig vingt veinte
    30 thirty dreißig trente treinta
    40 forty vierzig quarante cuarenta
    50 fifty fünfzig cinquante cincuenta
    60 sixty sechzig soixante sesenta
    70 seventy siebzig setenta
    80 eighty achtzig ochenta
    90 ninety neunzig noventa
""")
SCALES = _table("""
    100 hundred hundert
    1000 thousand tausend mille mil k тыс
    1e6 million millions millionen mio mln mn millones millón milhões milioni m млн
    1e9 billion billions bn b milliarde milliarden mrd milliard milliards miliardi miljard млрд
    1e12 trillion trillions tn billionen billón billones
""")
FRACTIONS = _table("""
    50 half hälfte moitié mitad halved halbiert
    33.333 third drittel tiers tercio
    25 quarter viertel quart
    20 fifth fünftel cinquième
    10 tenth zehntel dixième
""")
CURRENCIES = {
    **dict.fromkeys(["$", "us$", "usd", "dollar", "dollars", "dólares", "ドル", "美元"], "USD"),
    **dict.fromkeys(["€", "eur", "euro", "euros", "ユーロ", "欧元"], "EUR"),
    **dict.fromkeys(["£", "gbp", "pound", "pounds", "pfund"], "GBP"),
    **dict.fromkeys(["¥", "jpy", "cny", "yen", "yuan", "rmb", "円", "元"], "JPY/CNY"),
    **dict.fromkeys(["chf", "francs", "franken"], "CHF"),
    **dict.fromkeys(["₹", "inr", "rupees"], "INR"),
    **dict.fromkeys(["₽", "rub", "roubles", "rubles"], "RUB"),
}
PERCENT = frozenset(
    "% percent prozent procent процентов パーセント 個百分點 个百分点 prozentpunkte percentage".split()  # noqa: SIM905
)
UNITS: dict[str, tuple[str, float]] = {
    word: (kind, factor)
    for kind, factor, words in [
        ("s", 0.001, "ms millisecond milliseconds"),
        ("s", 1, "s sec second seconds sekunde sekunden seconde secondes segundo segundos 秒"),
        ("s", 60, "min mins minute minutes minuten minuto minutos 分钟"),
        ("s", 3600, "h hr hrs hour hours stunde stunden heure heures hora horas 時間 小时"),
        ("s", 86400, "day days tag tage tagen jour jours día días 天"),
        ("s", 604800, "week weeks woche wochen semaine semaines semana semanas"),
        ("month", 1, "month months monat monate monaten mois mes meses"),
        ("month", 120, "decade decades jahrzehnt jahrzehnte décennie década décadas"),
        ("month", 12, "year years jahr jahre jahren an ans année années año años 年"),
        ("m", 0.001, "mm millimetre millimetres millimeter millimeters"),
        ("m", 0.01, "cm centimetre centimetres centimeter centimeters"),
        ("m", 1, "m metre metres meter meters mètre mètres metro metros"),
        ("m", 1000, "km kilometre kilometres kilometer kilometers kilomètres kilómetros キロ 公里"),
        ("kg", 1e-6, "mg milligram milligrams"),
        ("kg", 0.001, "g gram grams gramm"),
        ("kg", 1, "kg kilogram kilograms kilogramm kilo kilos"),
        ("kg", 1000, "t tonne tonnes ton tons tonnen toneladas 吨"),
        ("B", 1e3, "kb kib kilobyte kilobytes"),
        ("B", 1e6, "mb mib megabyte megabytes"),
        ("B", 1e9, "gb gib gigabyte gigabytes"),
        ("B", 1e12, "tb tib terabyte terabytes"),
        ("W", 1, "watt watts"),
        ("W", 1e3, "kw kilowatt kilowatts"),
        ("W", 1e6, "mw megawatt megawatts"),
        ("W", 1e9, "gw gigawatt gigawatts"),
    ]
    for word in words.split()
}
