"""Writes what is not words in Japanese text as OpenJTalk reads it right: signs, dates with slashes, money, ranges.

Called by `phonemizer.py`. Numbers stay digits: OpenJTalk reads them and the counters after them, whose sounds change
with the number (一本, 二本, 三本). Source: the Japanese names of signs and units.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

_MONEY: Final = {
    "¥": "円", "￥": "円", "US$": "ドル", "$": "ドル", "€": "ユーロ", "£": "ポンド", "₩": "ウォン",
}  # fmt: skip
_UNITS: Final = {
    "km/h": "キロメートル毎時", "m/s": "メートル毎秒", "km²": "平方キロメートル", "m²": "平方メートル",
    "cm²": "平方センチメートル", "m³": "立方メートル", "cm³": "立方センチメートル", "km": "キロメートル",
    "cm": "センチメートル", "mm": "ミリメートル", "nm": "ナノメートル", "μm": "マイクロメートル", "m": "メートル",
    "kg": "キログラム", "mg": "ミリグラム", "g": "グラム", "t": "トン", "ml": "ミリリットル", "mL": "ミリリットル",
    "dl": "デシリットル", "L": "リットル", "l": "リットル", "ha": "ヘクタール", "°C": "度", "℃": "度",
    "°F": "度", "℉": "度", "°": "度", "kcal": "キロカロリー", "cal": "カロリー", "hPa": "ヘクトパスカル",
    "kWh": "キロワット時", "kW": "キロワット", "W": "ワット", "V": "ボルト", "Hz": "ヘルツ", "kHz": "キロヘルツ",
    "MHz": "メガヘルツ", "GHz": "ギガヘルツ", "KB": "キロバイト", "kB": "キロバイト", "MB": "メガバイト",
    "GB": "ギガバイト", "TB": "テラバイト", "ms": "ミリ秒", "s": "秒", "min": "分", "h": "時間", "dB": "デシベル",
    "%": "パーセント", "‰": "パーミル",
}  # fmt: skip
_SIGNS: Final = {
    "%": "パーセント", "‰": "パーミル", "+": "プラス", "−": "マイナス", "=": "イコール", "×": "かける", "÷": "わる",
    "±": "プラスマイナス", "≒": "ニアリーイコール", "≈": "ニアリーイコール", "≠": "ノットイコール", "<": "小なり",
    ">": "大なり", "≤": "小なりイコール", "≦": "小なりイコール", "≥": "大なりイコール", "≧": "大なりイコール",
    "&": "アンド", "@": "アットマーク", "#": "シャープ", "²": "の2乗", "³": "の3乗", "√": "ルート", "∞": "無限大",
    "№": "ナンバー", "°": "度", "℃": "度", "℉": "度",
    **{sign: name for sign, name in _MONEY.items() if len(sign) == 1},
}  # fmt: skip
_DIGITS: Final = ("ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー")
_LAST_HOUR: Final = 30  # a late night's programme may end at 25:00

_NUMBER: Final = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
_NEGATIVE: Final = r"(?<![A-Za-z\d)\]-])[-−]"
_MINUS: Final = rf"(?P<minus{{}}>{_NEGATIVE})?"
_WAVES: Final = "〜～~"


def _any_of(names: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, names), key=len, reverse=True))


_PATTERN: Final = re.compile(
    rf"""
    (?<![\d.])(?P<date>\d{{4}}(?P<between>[-/.])(?:1[0-2]|0?[1-9])(?P=between)(?:3[01]|[12]\d|0?[1-9]))(?!\d)
    | (?<![\d./])(?P<month>\d{{4}}/(?:1[0-2]|0?[1-9]))(?![\d/])
    | (?<![\d/])(?P<day>(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9]))(?=[ ]?[（(]?[月火水木金土日][)）曜])
    | (?P<clock>(?:(?P<half>[AaPp])\.?[Mm]\.?[ ]?)?(?<![\d:])(?P<time>\d{{1,2}}:[0-5]\d(?::[0-5]\d)?)(?![\d:])
        (?:[ ]?(?P<later_half>[AaPp])\.?[Mm](?![A-Za-z]))?)
    | (?<![\d-])(?P<postcode>\d{{3}}-\d{{4}})(?![\d-])
    | (?<![\d-])(?P<phone>\+?\d{{1,4}}-\d{{1,4}}-\d{{3,4}}|0\d{{9,10}})(?![\d-])
    | (?P<money>{_MINUS.format(1)}(?P<currency>{_any_of(_MONEY)})[ ]?(?P<price>{_NUMBER})
        (?P<scale>[千万億兆]*)(?:円|ドル)?)
    | (?<![\d/])(?P<fraction>\d+/\d+)(?![\d/])
    | (?<![\d:])(?P<ratio>\d+(?::\d+)+)(?![\d:])
    | (?<![\d-])(?P<address>\d{{1,4}}(?:-\d{{1,4}}){{2,}})(?![\d-])
    | (?<![\d-])(?P<pair>(?P<first>{_NUMBER})[-–—](?P<second>{_NUMBER}))(?![\d-])
    | (?<![\d.])(?P<version>\d+(?:\.\d+){{2,}})
    | (?P<measure>{_MINUS.format(2)}(?<!\d)(?P<amount>{_NUMBER})[ ]?(?P<unit>{_any_of(_UNITS)})(?![A-Za-z²³]))
    | (?<!\d)0(?P<small>\d)(?=[月日時分秒])
    | (?<![A-Za-z\d])(?P<ordinal>\d+)(?:st|nd|rd|th)(?![A-Za-z])
    | (?P<negative>{_NEGATIVE}(?=\d))
    | (?P<drawl>(?<=[ぁ-ヺー])[{_WAVES}]+(?!\w)|(?<=[ぁ-ゖ])[{_WAVES}]+(?=[ぁ-ゖ]))
    | (?P<span>(?<=\w|[%℃°])[ ]?[{_WAVES}][ ]?(?=\w))
    | \b(?P<number_sign>[Nn]o\.[ ]?)(?=\d)
    | (?P<sign>[{re.escape("".join(_SIGNS))}])
    """,
    re.VERBOSE,
)


def in_words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yields start, stop and replacement of each notation of a text, ascending."""
    for match in _PATTERN.finditer(text):
        kind = next(name for name in _READINGS if match[name] is not None)
        yield match.start(), match.end(), _READINGS[kind](match)


def by_digit(digits: str) -> str:
    """Returns digits one by one in kana, without anything else between them."""
    return "".join(_DIGITS[int(one)] for one in digits if one.isdecimal())


def _date(match: re.Match[str]) -> str:
    year, month, day = map(int, re.split(r"[-/.]", match["date"]))
    return f"{year}年{month}月{day}日"


def _month(match: re.Match[str]) -> str:
    year, month = match["month"].split("/")
    return f"{int(year)}年{int(month)}月"


def _day(match: re.Match[str]) -> str:
    month, day = match["day"].split("/")
    return f"{int(month)}月{int(day)}日"


def _clock(match: re.Match[str]) -> str:
    hour, minute, *seconds = match["time"].split(":")
    if int(hour) > _LAST_HOUR:
        return "対".join(match["time"].split(":"))
    half = {"a": "午前", "p": "午後"}.get((match["half"] or match["later_half"] or "").lower(), "")
    said = f"{half}{int(hour)}時"
    if int(minute) or seconds:
        said += f"{int(minute)}分"
    return said + (f"{int(seconds[0])}秒" if seconds else "")


def _phone(match: re.Match[str]) -> str:
    plus = "プラス" if match["phone"][0] == "+" else ""
    return plus + "、".join(map(by_digit, match["phone"].split("-")))


def _money(match: re.Match[str]) -> str:
    return f"{_sign(match, 1)}{match['price']}{match['scale']}{_MONEY[match['currency']]}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match["fraction"].split("/")
    return f"{bottom}分の{top}"


def _pair(match: re.Match[str]) -> str:
    """Reads two numbers with a hyphen: a range if they ascend, otherwise a score."""
    first, second = (match[name].replace(",", "") for name in ("first", "second"))
    return f"{match['first']}{'から' if float(first) < float(second) else '対'}{match['second']}"


def _measure(match: re.Match[str]) -> str:
    return f"{_sign(match, 2)}{match['amount']}{_UNITS[match['unit']]}"


def _sign(match: re.Match[str], number: int) -> str:
    return "マイナス" if match[f"minus{number}"] else ""


_READINGS: Final[dict[str, Callable[[re.Match[str]], str]]] = {
    "date": _date,
    "month": _month,
    "day": _day,
    "clock": _clock,
    "postcode": lambda match: "ノ".join(map(by_digit, match["postcode"].split("-"))),
    "phone": _phone,
    "money": _money,
    "fraction": _fraction,
    "ratio": lambda match: match["ratio"].replace(":", "対"),
    "address": lambda match: match["address"].replace("-", "の"),
    "pair": _pair,
    "version": lambda match: match["version"].replace(".", "点"),
    "measure": _measure,
    "small": lambda match: match["small"],
    "ordinal": lambda match: f"{match['ordinal']}番目",
    "negative": lambda _: "マイナス",
    "span": lambda _: "から",
    "drawl": lambda _: "ー",
    "number_sign": lambda _: "ナンバー",
    "sign": lambda match: _SIGNS[match["sign"]],
}
