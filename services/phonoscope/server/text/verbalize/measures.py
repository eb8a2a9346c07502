"""Measures: a number with the symbol of a unit, such as `5kg`, `25 °C`, `10 km/h`, `500 MB/s` and `5'11"`.

Names of units, their plurals and their rates ("per hour") come from CLDR through Babel.
"""

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel.units import UnknownUnitError, format_compound_unit, format_unit

from phonoscope.server.text.verbalize.language import HYPHEN, MINUS, SPACE, Language
from phonoscope.server.text.verbalize.rules import LEFT, Rule, either, rule, word_before, words_of

# Symbols of the International System and of computing, which mean the same in every language.
_UNITS: Final = {
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "µm": "length-micrometer", "μm": "length-micrometer", "nm": "length-nanometer",
    "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram", "µg": "mass-microgram", "μg": "mass-microgram",
    "l": "volume-liter", "L": "volume-liter", "ml": "volume-milliliter", "mL": "volume-milliliter",
    "dl": "volume-deciliter", "cl": "volume-centiliter",
    "km²": "area-square-kilometer", "m²": "area-square-meter", "cm²": "area-square-centimeter",
    "km2": "area-square-kilometer", "m2": "area-square-meter", "cm2": "area-square-centimeter",
    "m³": "volume-cubic-meter", "cm³": "volume-cubic-centimeter", "km³": "volume-cubic-kilometer",
    "m3": "volume-cubic-meter", "cm3": "volume-cubic-centimeter",
    "km/h": "speed-kilometer-per-hour", "m/s": "speed-meter-per-second",
    "m/s²": "acceleration-meter-per-square-second",
    "°C": "temperature-celsius", "℃": "temperature-celsius", "° C": "temperature-celsius", "ºC": "temperature-celsius",
    "°F": "temperature-fahrenheit", "℉": "temperature-fahrenheit",
    "Hz": "frequency-hertz", "kHz": "frequency-kilohertz", "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz",
    "W": "power-watt", "kW": "power-kilowatt", "MW": "power-megawatt", "GW": "power-gigawatt", "mW": "power-milliwatt",
    "kWh": "energy-kilowatt-hour", "J": "energy-joule", "kJ": "energy-kilojoule", "kcal": "energy-kilocalorie",
    "V": "electric-volt", "mA": "electric-milliampere", "Ω": "electric-ohm", "\u2126": "electric-ohm",
    "Pa": "pressure-pascal", "hPa": "pressure-hectopascal", "kPa": "pressure-kilopascal",
    "MPa": "pressure-megapascal", "mbar": "pressure-millibar",
    "kB": "digital-kilobyte", "KB": "digital-kilobyte", "MB": "digital-megabyte", "GB": "digital-gigabyte",
    "TB": "digital-terabyte", "PB": "digital-petabyte", "kbit": "digital-kilobit", "Mbit": "digital-megabit",
    "Gbit": "digital-gigabit", "Mb": "digital-megabit", "Gb": "digital-gigabit",
    "ms": "duration-millisecond", "ns": "duration-nanosecond", "µs": "duration-microsecond",
    "μs": "duration-microsecond", "min": "duration-minute",
    "px": "graphics-pixel", "dpi": "graphics-dot-per-inch", "ppi": "graphics-pixel-per-inch", "lm": "light-lumen",
}  # fmt: skip
# Units of English only: elsewhere their symbols are words, or unknown.
_ENGLISH_UNITS: Final = {
    "mi": "length-mile", "ft": "length-foot", "yd": "length-yard", "yds": "length-yard", "lb": "mass-pound",
    "lbs": "mass-pound", "oz": "mass-ounce", "gal": "volume-gallon", "mph": "speed-mile-per-hour",
    "kph": "speed-kilometer-per-hour", "kmh": "speed-kilometer-per-hour", "mpg": "consumption-mile-per-gallon",
    "psi": "pressure-pound-force-per-square-inch", "hp": "power-horsepower", "ha": "area-hectare",
    "hr": "duration-hour", "hrs": "duration-hour", "h": "duration-hour", "mins": "duration-minute",
    "sec": "duration-second", "secs": "duration-second", "sq ft": "area-square-foot", "ft²": "area-square-foot",
    "sq mi": "area-square-mile", "mi²": "area-square-mile", "cu ft": "volume-cubic-foot", "ft³": "volume-cubic-foot",
    "tbsp": "volume-tablespoon", "tsp": "volume-teaspoon", "MP": "graphics-megapixel",
}  # fmt: skip
# English words of what CLDR lacks.
_ENGLISH_WORDS: Final = {
    "fps": "frames per second", "Mbps": "megabits per second", "Gbps": "gigabits per second",
    "kbps": "kilobits per second", "dB": "decibels", "bpm": "beats per minute", "mAh": "milliampere hours",
    "Wh": "watt hours", "MWh": "megawatt hours", "GWh": "gigawatt hours", "TWh": "terawatt hours",
    "mm²": "square millimeters",
    "mm³": "cubic millimeters",
}  # fmt: skip
_RATES: Final = {
    "s": "duration-second", "sec": "duration-second", "min": "duration-minute", "h": "duration-hour",
    "hr": "duration-hour", "day": "duration-day", "m²": "area-square-meter", "m2": "area-square-meter",
    "m³": "volume-cubic-meter", "m3": "volume-cubic-meter", "l": "volume-liter", "L": "volume-liter",
    "dl": "volume-deciliter", "dL": "volume-deciliter", "ml": "volume-milliliter", "mL": "volume-milliliter",
    "kg": "mass-kilogram", "km": "length-kilometer",
}  # fmt: skip
_FEMININE: Final = {
    "de": words_of("duration-hour duration-minute duration-second duration-millisecond duration-microsecond"),
    "fr": words_of("duration-hour duration-minute duration-second duration-millisecond"),
    "es": words_of("duration-hour energy-kilocalorie"),
}
_ONE: Final = {"de": ("ein", "eine"), "fr": ("un", "une"), "es": ("un", "una"), "it": ("un", "una")}
_SQUARES: Final = range(0x3371, 0x33E0)
# After a capital letter it is a name: "651 W Washington Ave"; so it is in results: "3 W, 2 L".
_NAME: Final = re.compile(r"\s+[A-Z0-9]|[,;]\s+[0-9]+ [LDT]\b")
_RESULT: Final = re.compile(r"\b[0-9]+ [WD][,;]? \Z")
# "10m" is ten minutes beside these, and unclear after "in" or "for" at the end of a clause.
_AGO: Final = re.compile(r" (?:ago|later|earlier|from now|left|remaining)\b")
_UNCLEAR: Final = re.compile(r"[.,;:!?)]|\s*\Z")
# These may have a stop, which ends no sentence before what can only continue it.
_STOPPED: Final = words_of("ft lb lbs oz yd yds mi hr hrs min mins sec secs gal tsp tbsp sq cu")
_STOP: Final = rf"\.(?={SPACE}[a-z0-9]|[,;:)])"
_TAIL: Final = r"(?![\w/²³'’@^]|-(?![a-z])|[.][\w])"
_NEAR: Final = 12
# After these, "10m" is ten million.
_COUNTED: Final = re.compile(
    r" (?:people|users|followers|views|subscribers|downloads|copies|customers|jobs|records|barrels|years|votes)\b"
)


def rules(language: Language) -> list[Rule]:
    """Returns the rules for measures; none where CLDR has no unit names."""
    is_english = language.code == "en"
    units = _with_powers(_with_squares(_UNITS | (_ENGLISH_UNITS if is_english else {})))
    words = _with_powers(_ENGLISH_WORDS) if is_english else {}
    rates = _with_powers(_RATES)
    symbol = either(list(units))
    number = language.number

    def spoken(match: re.Match[str]) -> str | None:
        return _measure(match, units, language)

    def in_english(match: re.Match[str]) -> str:
        unit = words[match["unit"]]
        return f"{match['amount']} {unit.replace('s', '', 1) if match['amount'] == '1' else unit}"

    behind = "|".join(f"(?<={name})" for name in sorted(_STOPPED))
    stop = f"(?:{behind}){_STOP}" if is_english else "(?!)"
    low = rf"(?<![\w.,:/\\@#&=+])(?P<minus>{MINUS})?(?P<amount>{number})"
    twice = rf"(?P<same>{SPACE}?{symbol})(?P<gap>{SPACE}?){HYPHEN}{SPACE}?(?P<high>{MINUS}?{number})"
    once = rf"(?P<same>)(?:{HYPHEN}(?P<high>{MINUS}?{number}))?"
    high = rf"(?P<space>{SPACE}?|-)(?P<unit>{symbol})(?:/(?P<rate>{either(list(rates))}))?(?:{stop})?{_TAIL}"
    found = [
        *_durations(language),
        *_temperatures(language),
        *(rule("digit sign", f"{low}{until}{high}", spoken) for until in (twice, once)),
        _halves(units, symbol, language),
    ]
    if is_english:
        pattern = rf"{LEFT}(?P<amount>{number}){SPACE}?(?P<unit>{either(list(words))})(?![\w/'’@^])"
        found = [*_feet(), *found, rule("digit", pattern, in_english)]
    return found


def _with_powers(units: dict[str, str]) -> dict[str, str]:
    """Adds the units with exponents as they are typed, such as m^2."""
    powers = {"²": "^2", "³": "^3"}
    return units | {symbol[:-1] + powers[symbol[-1]]: unit for symbol, unit in units.items() if symbol[-1] in powers}


def _durations(language: Language) -> list[Rule]:
    """Returns the rule for hours, minutes and seconds together, where "m" is no meter: "1h 5m", "2 h 30 min"."""

    def spoken(match: re.Match[str]) -> str | None:
        parts = [(match[unit], f"duration-{unit}") for unit in ("hour", "minute", "second") if match[unit]]
        words = [_counted(int(number), unit, language) for number, unit in parts]
        return " ".join(words) if len(words) > 1 and all(words) else None

    minutes = "m|mins?" if language.code == "en" else "min"
    return [
        rule(
            "digit",
            rf"{LEFT}(?:(?P<hour>[0-9]{{1,3}}){SPACE}?h{SPACE}?)?(?P<minute>[0-9]{{1,3}}){SPACE}?(?:{minutes})"
            rf"(?:{SPACE}?(?P<second>[0-5]?[0-9]){SPACE}?s)?{_TAIL}",
            spoken,
        )
    ]


def _temperatures(language: Language) -> list[Rule]:
    """Returns the rule for a temperature on both scales: "180°C/350°F"."""

    def spoken(match: re.Match[str]) -> str | None:
        scales = {"C": "temperature-celsius", "F": "temperature-fahrenheit"}
        words = [_counted(int(match[f"degrees{n}"]), scales[match[f"scale{n}"]], language) for n in "12"]
        return ", ".join(words) if all(words) else None

    one, two = (rf"(?P<degrees{n}>[0-9]{{1,4}}){SPACE}?°{SPACE}?(?P<scale{n}>[CF])" for n in "12")
    return [rule("digit", rf"{LEFT}{one}{SPACE}?/{SPACE}?{two}{_TAIL}", spoken)]


def _halves(units: dict[str, str], symbol: str, language: Language) -> Rule:
    """Returns the rule for a unit after a fraction of one character, which stays: "½ tsp"."""

    def spoken(match: re.Match[str]) -> str | None:
        count = 2 if match["whole"] and language.code == "en" else 1
        name = _name(units[match["unit"]], "", Decimal(count), language)
        if not name.startswith("#"):
            return None
        return f"{match['whole'] or ''}{match['part']}{name[1:]}"

    pattern = rf"{LEFT}(?P<whole>[0-9]+{SPACE}?)?(?P<part>[¼½¾⅓⅔⅛]){SPACE}?(?P<unit>{symbol}){_TAIL}"
    return rule("digit sign", pattern, spoken)


def _counted(number: int, unit: str, language: Language) -> str:
    name = _name(unit, "", Decimal(number), language)
    return name.replace("#", _one(unit, language) if number == 1 else str(number), 1) if "#" in name else ""


def _with_squares(units: dict[str, str]) -> dict[str, str]:
    """Adds the units that Unicode has as one character, such as ㎏ and ㎡."""
    squares = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in _SQUARES}
    return units | {square: units[plain] for square, plain in squares.items() if plain in units}


def _feet() -> list[Rule]:
    def spoken(match: re.Match[str]) -> str:
        feet, inches = int(match["feet"]), int(match["inches"])
        return f"{feet} {'foot' if feet == 1 else 'feet'} {inches} {'inch' if inches == 1 else 'inches'}"

    marks = rf"{LEFT}(?P<feet>[0-9]{{1,2}})['’′]{SPACE}?(?P<inches>[0-9]|1[01])(?:[\"”″]|'')(?!\w)"
    in_ = rf"{SPACE}?in\b(?:{_STOP})?(?!{SPACE}the)"
    words = rf"{LEFT}(?P<feet>[0-9]{{1,2}}){SPACE}?ft\.?{SPACE}?(?P<inches>[0-9]|1[01]){in_}"
    return [rule("digit", marks, spoken), rule("digit", words, spoken)]


def _measure(match: re.Match[str], units: dict[str, str], language: Language) -> str | None:
    amount, high, symbol = match["amount"], match["high"] or "", match["unit"]
    if match["minus"] and (not language.minus or match.string[match.start() - 1 : match.start()].isalnum()):
        return None
    if len(symbol) == 1 and _is_no_unit(match, symbol, language):
        return None
    if match["same"] and not _is_range(match, language):
        return None
    value = language.value((high or amount).lstrip("-\u2212"))
    if value is None or (high and (not language.to or match["space"] == "-")):
        return None
    rate = _with_powers(_RATES).get(match["rate"] or "", "")
    if symbol == "m" and language.code == "en" and _COUNTED.match(match.string, match.end()):
        name = "million"
    elif symbol == "m" and language.code == "en" and _AGO.match(match.string, match.end()):
        name = _name("duration-minute", "", value, language)
    else:
        counted = Decimal(1) if match["space"] == "-" and language.code == "en" else value
        name = _name(units[symbol], rate, counted, language)
    if not name:
        return None
    until = f"{amount} {language.to} " if high else ""
    number = _one(units[symbol], language) if value == 1 and not high else _signed(high or amount, language)
    minus = f"{language.minus} " if match["minus"] else ""
    return f"{minus}{until}{name.replace('#', number)}" if "#" in name else f"{minus}{until}{number} {name}"


def _is_no_unit(match: re.Match[str], symbol: str, language: Language) -> bool:
    """Returns whether a letter is more likely a name, a result, a size or an abbreviation than a unit."""
    text, start, stop = match.string, match.start(), match.end()
    if symbol == "h":
        return bool(match["space"])
    if symbol == "m":
        is_joint = language.code == "en" and not match["space"]
        return is_joint and word_before(match) in ("in", "for") and _UNCLEAR.match(text, stop) is not None
    if language.code == "de" and symbol == "J" and text[stop : stop + 1] == ".":
        return True  # "Jahre"
    if not symbol.isupper() or not match["space"]:
        return False
    is_size = word_before(match) in ("size", "sizes")
    is_result = symbol == "L" and _RESULT.search(text, max(0, start - _NEAR), start) is not None
    return is_size or is_result or _NAME.match(text, stop) is not None


def _is_range(match: re.Match[str], language: Language) -> bool:
    """Returns whether two measures with a hyphen between are a range, rather than a subtraction or two names."""
    low, high = language.value(match["amount"]), language.value(match["high"].lstrip("-\u2212"))
    if match["same"].strip() != match["unit"] or low is None or high is None:
        return False
    return not match["gap"] or low < high


def _signed(number: str, language: Language) -> str:
    return f"{language.minus} {number[1:]}" if number[0] in "-\u2212" else number


def _one(unit: str, language: Language) -> str:
    masculine, feminine = _ONE.get(language.code, ("1", "1"))
    return feminine if unit in _FEMININE.get(language.code, ()) else masculine


@lru_cache(maxsize=4096)
def _name(unit: str, rate: str, value: Decimal, language: Language) -> str:
    """Returns the name of a unit after a number, with `#` in place of the number; "" if CLDR has none."""
    written = format_unit(value, "length-meter", "short", format="0.##########", locale=language.locale)
    try:
        if rate:
            named = format_compound_unit(
                value, unit, denominator_unit=rate, length="long", format="0.##########", locale=language.locale
            )
        else:
            named = format_unit(value, unit, "long", format="0.##########", locale=language.locale)
    except UnknownUnitError:
        return ""
    digits = re.match(r"\W*([0-9.,٫]+)", written)
    return str(named).replace(digits[1], "#", 1).replace("\u00a0", " ") if named and digits else ""
