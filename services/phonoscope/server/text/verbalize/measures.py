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
from phonoscope.server.text.verbalize.rules import LEFT, Rule, either, rule, words_of

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
# After a capital letter it is a name: "651 W Washington Ave".
_NAME: Final = re.compile(r"\s+[A-Z0-9]")
# After these, "10m" is ten million.
_COUNTED: Final = re.compile(
    r" (?:people|users|followers|views|subscribers|downloads|copies|customers|jobs|records|barrels|years|votes)\b"
)


def rules(language: Language) -> list[Rule]:
    """Returns the rules for measures; none where CLDR has no unit names."""
    is_english = language.code == "en"
    units = _with_squares(_UNITS | (_ENGLISH_UNITS if is_english else {}))
    words = _ENGLISH_WORDS if is_english else {}
    number = language.number

    def spoken(match: re.Match[str]) -> str | None:
        return _measure(match, units, language)

    def in_english(match: re.Match[str]) -> str:
        unit = words[match["unit"]]
        return f"{match['amount']} {unit.replace('s', '', 1) if match['amount'] == '1' else unit}"

    found = [
        rule(
            "digit sign",
            rf"(?<![\w.,:/\\@#&=+])(?P<minus>{MINUS})?(?P<amount>{number})"
            rf"(?:(?P<joint>{HYPHEN})(?P<high>{MINUS}?{number}))?"
            rf"(?P<space>{SPACE}?|-)(?P<unit>{either(list(units))})(?:/(?P<rate>{either(list(_RATES))}))?"
            r"(?![\w/²³'’@]|-(?![a-z])|[.][\w])",
            spoken,
        )
    ]
    if is_english:
        pattern = rf"{LEFT}(?P<amount>{number}){SPACE}?(?P<unit>{either(list(words))})(?![\w/'’@])"
        found = [*_feet(), *found, rule("digit", pattern, in_english)]
    return found


def _with_squares(units: dict[str, str]) -> dict[str, str]:
    """Adds the units that Unicode has as one character, such as ㎏ and ㎡."""
    squares = {chr(code): unicodedata.normalize("NFKC", chr(code)) for code in _SQUARES}
    return units | {square: units[plain] for square, plain in squares.items() if plain in units}


def _feet() -> list[Rule]:
    def spoken(match: re.Match[str]) -> str:
        feet, inches = int(match["feet"]), int(match["inches"])
        return f"{feet} {'foot' if feet == 1 else 'feet'} {inches} {'inch' if inches == 1 else 'inches'}"

    marks = rf"{LEFT}(?P<feet>[0-9]{{1,2}})['’′]{SPACE}?(?P<inches>[0-9]|1[01])(?:[\"”″]|'')(?!\w)"
    words = rf"{LEFT}(?P<feet>[0-9]{{1,2}}){SPACE}?ft\.?{SPACE}?(?P<inches>[0-9]|1[01]){SPACE}?in\b(?!{SPACE}the)"
    return [rule("digit", marks, spoken), rule("digit", words, spoken)]


def _measure(match: re.Match[str], units: dict[str, str], language: Language) -> str | None:
    amount, high, symbol = match["amount"], match["high"] or "", match["unit"]
    if match["minus"] and (not language.minus or match.string[match.start() - 1 : match.start()].isalnum()):
        return None
    if symbol == "h" and match["space"]:
        return None
    if match["space"] and len(symbol) == 1 and symbol.isupper() and _NAME.match(match.string, match.end()):
        return None
    value = language.value((high or amount).lstrip("-\u2212"))
    if value is None or (high and (not language.to or match["space"] == "-")):
        return None
    if symbol == "m" and language.code == "en" and _COUNTED.match(match.string, match.end()):
        name = "million"
    else:
        counted = Decimal(1) if match["space"] == "-" and language.code == "en" else value
        name = _name(units[symbol], _RATES.get(match["rate"] or "", ""), counted, language)
    if not name:
        return None
    until = f"{amount} {language.to} " if high else ""
    number = _one(units[symbol], language) if value == 1 and not high else _signed(high or amount, language)
    minus = f"{language.minus} " if match["minus"] else ""
    return f"{minus}{until}{name.replace('#', number)}" if "#" in name else f"{minus}{until}{number} {name}"


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
