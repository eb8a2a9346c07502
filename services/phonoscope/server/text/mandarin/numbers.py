"""Puts numbers among Chinese text into Chinese words: dates, times, money, percentages, measures, plain numbers.

Called by `phonemizer.py`, because espeak-ng, which reads the digits of other languages, does not read Chinese here.
Sources: GB/T 15835-2011 (use of numerals), and the usual reading of 2 as 两 before counting words.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

_DIGITS: Final = "零一二三四五六七八九"
_PLACES: Final = ("", "十", "百", "千")
_GROUPS: Final = ("", "万", "亿", "万亿")
_GROUP_DIGITS: Final = 4
_MAX_DIGITS: Final = _GROUP_DIGITS * len(_GROUPS)
_HOURS: Final = 24
_MINUTES: Final = 60

_MONEY: Final = {
    "¥": "元", "￥": "元", "$": "美元", "US$": "美元", "HK$": "港元", "NT$": "新台币", "€": "欧元", "£": "英镑",
    "₩": "韩元",
}  # fmt: skip
_UNITS: Final = {
    "km/h": "公里每小时", "m/s": "米每秒", "km²": "平方公里", "m²": "平方米", "cm²": "平方厘米", "m³": "立方米",
    "km2": "平方公里", "m2": "平方米", "cm2": "平方厘米", "m3": "立方米", "㎡": "平方米", "㎥": "立方米",
    "km": "公里", "cm": "厘米", "mm": "毫米", "nm": "纳米", "m": "米", "kg": "公斤", "mg": "毫克", "g": "克",
    "ml": "毫升", "mL": "毫升", "L": "升", "℃": "摄氏度", "°C": "摄氏度", "℉": "华氏度", "°F": "华氏度", "°": "度",
    "kWh": "千瓦时", "kW": "千瓦", "W": "瓦", "V": "伏", "Hz": "赫兹", "kHz": "千赫", "MHz": "兆赫", "GHz": "吉赫",
    "ms": "毫秒", "s": "秒", "h": "小时", "min": "分钟", "dB": "分贝",
}  # fmt: skip
_SIGNS: Final = {
    "%": "百分号", "‰": "千分号", "+": "加", "=": "等于", "×": "乘", "÷": "除以", "<": "小于", ">": "大于",
    "≤": "小于等于", "≥": "大于等于", "≠": "不等于", "≈": "约等于", "±": "正负", "&": "和", "@": "艾特", "#": "井号",
    "²": "平方", "³": "立方", "√": "根号", "∞": "无穷大", "№": "号", **_MONEY,
    "℃": "摄氏度", "℉": "华氏度", "°": "度",
}  # fmt: skip

_NUMBER: Final = r"\d+(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
_COUNTING: Final = "个位名只条张件本次块杯瓶辆台座家层种群对双倍岁天年周秒米升克元亩公千万亿点两份篇首支把"
_MARKS_OF_MONEY: Final = "|".join(sorted(map(re.escape, _MONEY), key=len, reverse=True))
# "5m2" is an area, "5m25" a length.
_MARKS_OF_UNITS: Final = "|".join(
    re.escape(unit) + (r"(?!\d)" if unit[-1].isdecimal() else "") for unit in sorted(_UNITS, key=len, reverse=True)
)

_PATTERN: Final = re.compile(
    rf"""
    (?<![\d.])(?P<year>\d{{4}})(?=年|[-–—~～至到]\d{{4}}年)
    | (?<!\d)(?P<short_year>[0-9]\d)(?=年(?:代|\d|[一二三四五六七八九十]+月))
    | (?<![\d.])(?P<date>\d{{4}}(?P<between>[-/.])(?:1[0-2]|0?[1-9])(?P=between)(?:3[01]|[12]\d|0?[1-9]))(?!\d)
    | (?<![\d:])(?P<time>\d{{1,2}}[:：][0-5]\d(?:[:：][0-5]\d)?)(?![\d:])
    | (?<!\d)(?P<phone>1[3-9]\d{{9}}|0\d{{2,3}}-\d{{7,8}}|400-?\d{{3}}-?\d{{4}})(?!\d)
    | (?<![\d.])(?P<version>\d+(?:\.\d+){{2,}})
    | (?P<money>(?P<currency>{_MARKS_OF_MONEY})[ ]?(?P<price>{_NUMBER})(?P<scale>[万亿]*)(?:美?元)?)
    | (?<![\d/])(?P<fraction>\d+/\d+)(?![\d/])
    | (?P<ratio>(?<![\d:])\d+[:：]\d+(?![\d:]))
    | (?P<range>(?<=[\d%℃])[-–—~～](?=\d))
    | (?P<percent>(?P<minus1>(?<![A-Za-z\d)])[-−])?(?P<amount1>{_NUMBER})(?P<share>[%‰]))
    | (?P<measure>(?P<minus2>(?<![A-Za-z\d)])[-−])?(?P<amount2>{_NUMBER})[ ]?(?P<unit>{_MARKS_OF_UNITS})(?![A-Za-z²³]))
    | (?P<number>(?P<minus3>(?<![A-Za-z\d)])[-−])?(?P<amount3>{_NUMBER}))
    | (?P<sign>[{re.escape("".join(one for one in _SIGNS if len(one) == 1))}])
    """,
    re.VERBOSE,
)


def in_words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yields start, stop and Chinese words of each number and sign of a text, ascending."""
    for match in _PATTERN.finditer(text):
        kind = next(name for name in _READINGS if match[name] is not None)
        yield match.start(), match.end(), _READINGS[kind](match)


def cardinal(digits: str, *, is_counted: bool = False) -> str:
    """Returns a whole number in words; digit by digit if it is too long. "2" is 两 if it counts something."""
    digits = digits.lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        return by_digit(digits)
    if digits == "2" and is_counted:
        return "两"
    groups: list[str] = []
    while digits:
        digits, group = digits[:-_GROUP_DIGITS], digits[-_GROUP_DIGITS:]
        groups.insert(0, group)
    said = ""
    for index, group in enumerate(groups):
        name = _GROUPS[len(groups) - 1 - index]
        words = _group(group, is_first=index == 0)
        if words.strip("零"):
            said += ("两" if words == "二" and name else words) + name
    said = said or _DIGITS[0]
    return said.removeprefix("一") if said.startswith("一十") else said


def by_digit(digits: str) -> str:
    """Returns digits one by one, without anything else between them."""
    return "".join(_DIGITS[int(one)] for one in digits if one.isdecimal())


def _group(group: str, *, is_first: bool) -> str:
    """Returns up to four digits in words, with 零 for zeros before and between others."""
    said, has_zero = "", False
    for index, digit in enumerate(group):
        place = _PLACES[len(group) - 1 - index]
        if digit == "0":
            has_zero = bool(said) or not is_first
            continue
        is_leading = is_first and not said
        name = "两" if digit == "2" and is_leading and place in ("百", "千") else _DIGITS[int(digit)]
        said += ("零" if has_zero else "") + name + place
        has_zero = False
    return said


def _amount(written: str, after: str = "") -> str:
    whole, _, fraction = written.replace(",", "").partition(".")
    if fraction:
        return f"{cardinal(whole)}点{by_digit(fraction)}"
    if len(whole) > 1 and whole[0] == "0":
        return by_digit(whole)
    return cardinal(whole, is_counted=bool(after) and after in _COUNTING)


def _date(match: re.Match[str]) -> str:
    year, month, day = re.split(r"[-/.]", match["date"])
    return f"{by_digit(year)}年{cardinal(month)}月{cardinal(day)}日"


def _time(match: re.Match[str]) -> str:
    hour, minute, *seconds = re.split("[:：]", match["time"])
    if int(hour) > _HOURS:
        return "比".join(_amount(part) for part in (hour, minute, *seconds))
    said = f"{cardinal(hour, is_counted=True)}点"
    if int(minute) or seconds:
        said += f"{_two_digits(minute)}分"
    return said + (f"{_two_digits(seconds[0])}秒" if seconds else "")


def _two_digits(written: str) -> str:
    return _DIGITS[0] + cardinal(written) if written[0] == "0" and written != "00" else cardinal(written)


def _phone(match: re.Match[str]) -> str:
    return by_digit(match["phone"]).replace("一", "幺")


def _money(match: re.Match[str]) -> str:
    scale = match["scale"]
    return f"{_amount(match['price'], scale[:1] or '元')}{scale}{_MONEY[match['currency']]}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = match["fraction"].split("/")
    return f"{_amount(bottom)}分之{_amount(top)}"


def _ratio(match: re.Match[str]) -> str:
    return "比".join(_amount(part) for part in re.split("[:：]", match["ratio"]))


def _percent(match: re.Match[str]) -> str:
    whole = "百分之" if match["share"] == "%" else "千分之"
    return f"{'负' if match['minus1'] else ''}{whole}{_amount(match['amount1'])}"


def _measure(match: re.Match[str]) -> str:
    unit = _UNITS[match["unit"]]
    below = "零下" if unit.endswith("氏度") else "负"
    return f"{below if match['minus2'] else ''}{_amount(match['amount2'], unit[0])}{unit}"


def _number(match: re.Match[str]) -> str:
    is_ordinal = match.string[: match.start()].endswith("第") or match.string.startswith("年级", match.end())
    after = "" if is_ordinal else match.string[match.end() : match.end() + 1]
    return f"{'负' if match['minus3'] else ''}{_amount(match['amount3'], after)}"


_READINGS: Final[dict[str, Callable[[re.Match[str]], str]]] = {
    "year": lambda match: by_digit(match["year"]),
    "short_year": lambda match: by_digit(match["short_year"]),
    "date": _date,
    "time": _time,
    "phone": _phone,
    "version": lambda match: "点".join(cardinal(part) for part in match["version"].split(".")),
    "money": _money,
    "fraction": _fraction,
    "ratio": _ratio,
    "percent": _percent,
    "measure": _measure,
    "range": lambda _: "到",
    "number": _number,
    "sign": lambda match: _SIGNS[match["sign"]],
}
