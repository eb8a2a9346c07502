"""The page offers every emotion of the server."""

import re
from importlib.resources import files

from phonoscope.server.emotions import EMOTIONS


def test_the_page_offers_every_emotion() -> None:
    page = files("phonoscope.gateway").joinpath("page", "index.html").read_text(encoding="utf-8")
    select = page[page.index('<select id="emotion">') :].partition("</select>")[0]
    assert re.findall(r"<option>(\w+)</option>", select) == list(EMOTIONS)
