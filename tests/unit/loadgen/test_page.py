"""The page of a run."""

from html.parser import HTMLParser

from phonoscope.loadgen.events import Summary
from phonoscope.loadgen.page import page_of
from phonoscope.loadgen.plan import CallResult, LoadPlan, Mode, PlannedCall
from phonoscope.loadgen.samples import Sample
from phonoscope.loadgen.tally import Tally


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def a_page(address: str = "here:1", error: str = "") -> Page:
    tally = Tally()
    made = CallResult(call=PlannedCall("Hello.", {}, is_stream=True), seconds=1.0, error=error)
    tally.add(made)
    tally.add(CallResult(call=made.call, seconds=0.01, is_cancelled=True))
    summary = Summary(LoadPlan(mode=Mode.BIDI, seed=77), 3.0, tally, (Sample(0.0, 0.1, 1.0, 2.0, 0, error),))
    return Page(page_of(summary, address))


def test_the_page_has_the_table_the_plots_and_the_settings():
    page = a_page()
    assert "Load on here:1" in page.text
    assert "calls      ok 1   failed 0" in page.text
    assert "cancelled 1" in page.text
    assert page.tags.count("svg") == page.tags.count("figure") == page.tags.count("figcaption") == 3
    assert '"seed": 77' in page.text
    assert '"mode": "bidi"' in page.text


def test_the_page_needs_nothing_from_anywhere():
    page = a_page()
    assert {"script", "link", "img"} & set(page.tags) == set()
    assert all(link.startswith("#") for link in page.links)


def test_what_comes_from_outside_is_text():
    page = a_page(address="<script>alert(1)</script>", error="<img src=x>")
    assert {"script", "img"} & set(page.tags) == set()
    assert "<script>alert(1)</script>" in page.text
    assert "<img src=x>" in page.text
