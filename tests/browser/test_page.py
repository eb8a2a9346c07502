"""The page as people use it: hear, see, stop, read what is wrong; by mouse and by keyboard, wide and narrow."""

import asyncio
import math
import wave
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from phonoscope.client import Pronunciation, Recording, TimingType

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parents[2] / "out" / "browser"
SENTENCE = "A sentence that is long enough to be several chunks of sound, one after another. "
GENEROUS_SECONDS = 60.0
# Counts what reaches the speakers: every buffer that is started, and the loudest sample in it.
LISTEN = """
window.heard = {seconds: 0, peak: 0, stopped: 0, began: null, clock: null};
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (at) {
  const samples = this.buffer.getChannelData(0);
  window.heard.seconds += this.buffer.duration;
  window.heard.began ??= at;
  window.heard.clock ??= () => this.context.currentTime;
  for (const sample of samples) window.heard.peak = Math.max(window.heard.peak, Math.abs(sample));
  return start.call(this, at);
};
const stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.stop = function () { window.heard.stopped += 1; return stop.call(this); };
"""
# Notes each word as it is marked, and how many seconds of the speech had left the page by then.
WATCH_MARKS = """
window.marks = [];
new MutationObserver(() => {
  const word = document.querySelector("#reading mark").textContent;
  if (word && word !== window.marks.at(-1)?.word) {
    window.marks.push({ word, seconds: window.heard.clock() - window.heard.began });
  }
}).observe(document.getElementById("reading"), { childList: true, subtree: true, characterData: true });
"""
# The contrast of the mark's colours, as WCAG 2 counts it (w3.org/TR/WCAG22/#dfn-contrast-ratio).
CONTRAST = """() => {
  const style = getComputedStyle(document.querySelector("#reading mark"));
  const linear = (c) => c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = colour.match(/\\d+/g).map(Number).map(linear);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, bright] = [light(style.color), light(style.backgroundColor)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}"""


@pytest.fixture
async def gateway(gateways: Any, server: Any) -> Any:
    async with gateways.gateway_before(server.target) as gateway:
        yield gateway


async def opened(browser: Any, url: str, **options: Any) -> Page:
    """Returns the page, loaded; what it writes to its console, or is refused, fails the test at `close`."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    page.complaints = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.complaints.append(str(error)))  # type: ignore[attr-defined]
    page.on("console", lambda line: line.type in {"error", "warning"} and page.complaints.append(line.text))  # type: ignore[attr-defined]
    await page.add_init_script(LISTEN)
    await page.goto(url)
    await expect(page.locator("#server")).to_have_text("Speech server ready")
    return page


@pytest.fixture
async def page(browser: Any, gateway: Any) -> Any:
    page = await opened(browser, gateway.url)
    yield page
    assert [line for line in page.complaints if "status of 4" not in line and "status of 5" not in line] == []


async def how_it_ended(server: Any) -> str:
    """Waits for the end of the one call for speech, and returns its code."""

    def ends(of: Any) -> list[str]:
        return [call.code.name for call in of.ended() if call.method.name == "SynthesizeStream"]

    assert await asyncio.to_thread(server.wait_for, lambda it: bool(ends(it)))
    [code] = ends(server)
    return code


async def kept(page: Page) -> bytes:
    """Returns the samples of the WAV that the page offers."""
    async with page.expect_download() as download:
        await page.click("#download")
    with wave.open(str(await (await download.value).path())) as file:
        return file.readframes(file.getnframes())


async def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


async def test_text_is_heard_and_drawn_and_can_be_kept(page, gateway):
    await page.fill("#text", SENTENCE * 2)
    await page.fill("#seed", "18446744073709551615")
    await page.click("#speak")
    await expect(page.locator("#download")).to_be_visible()
    heard = await page.evaluate("({ seconds: heard.seconds, peak: heard.peak })")
    speech = await gateway.client.synthesize(SENTENCE * 2, seed=2**64 - 1)
    assert heard["seconds"] == pytest.approx(speech.audio_seconds, abs=0.01)
    assert heard["peak"] > 0.05
    assert (await page.text_content("#first-audio")).endswith(" ms")
    assert float(await page.text_content("#rtf")) > 0
    assert await page.text_content("#length") == f"{speech.audio_seconds:.2f} s"
    drawn = await page.evaluate(
        "(() => { const c = document.getElementById('wave');"
        "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((value) => value > 0); })()"
    )
    assert drawn
    await shot(page, "spoken")
    async with page.expect_download() as download:
        await page.click("#download")
    with wave.open(str(await (await download.value).path())) as file:
        assert (file.getframerate(), file.getnchannels()) == (22_050, 1)
        assert file.readframes(file.getnframes()) == speech.audio


async def test_sound_begins_while_the_rest_is_being_made_and_stop_cancels_it(page, server):
    await page.fill("#text", SENTENCE * 30)
    await page.focus("#text")
    server.engine.closes_after = server.engine.windows_rendered + 8
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#first-audio")).to_contain_text("ms")
    await expect(page.locator("#stop")).to_be_enabled()
    assert "while the rest is synthesized" in await page.text_content("#state")
    await shot(page, "speaking")
    await page.keyboard.press("Escape")
    assert await how_it_ended(server) == "CANCELLED"
    server.engine.closes_after = math.inf
    server.engine.gate.set()
    await expect(page.locator("#state")).to_have_text("Stopped.")
    await expect(page.locator("#stop")).to_be_disabled()
    assert await page.evaluate("window.heard.stopped") > 0


async def test_a_closed_tab_cancels_the_call(browser, gateway, server):
    page = await opened(browser, gateway.url)
    server.engine.gate.clear()
    await page.fill("#text", SENTENCE * 30)
    await page.click("#speak")
    assert await asyncio.to_thread(server.engine.is_rendering.wait, GENEROUS_SECONDS)
    await page.close()
    assert await how_it_ended(server) == "CANCELLED"
    server.engine.gate.set()


async def test_errors_are_shown_where_screen_readers_hear_them(page):
    await page.fill("#text", "  ")
    await page.click("#speak")
    error = page.locator("[role=alert]")
    await expect(error).to_have_text("text: is empty; send at least one word, or ssml")
    await shot(page, "error")
    await page.fill("#text", "Now it is right.")
    await page.click("#speak")
    await expect(page.locator("#download")).to_be_visible()
    await expect(error).to_be_hidden()


async def test_a_failure_in_the_middle_is_reported_and_what_came_can_be_kept(page, server):
    await page.fill("#text", SENTENCE * 60)
    server.engine.closes_after = server.engine.windows_rendered + 8
    await page.click("#speak")
    await expect(page.locator("#first-audio")).to_contain_text("ms")
    server.engine.is_broken = True
    server.engine.gate.set()
    await expect(page.locator("#error")).to_contain_text("The audio is incomplete")
    page.complaints.clear()
    server.unexpected.clear()


async def test_every_control_changes_what_is_heard(page, gateway):
    await page.fill("#text", SENTENCE)
    await page.fill("#seed", "1")
    for name, value in (("speed", "1.5"), ("pitch", "1.2")):
        await page.fill(f"#{name}", value)
        assert await page.text_content(f"#{name}-shown") == value
    await page.select_option("#emotion", "sad")
    await page.click("#speak")
    await expect(page.locator("#download")).to_be_visible()
    speech = await gateway.client.synthesize(SENTENCE, seed=1, speed=1.5, pitch=1.2, emotion="sad")
    assert await kept(page) == speech.audio


async def test_the_word_that_is_heard_is_marked(page, gateway):
    text = "One 😀 two, three: four. Five six seven."
    await page.fill("#text", text)
    await page.fill("#speed", "0.5")
    await page.fill("#seed", "1")
    await page.evaluate(WATCH_MARKS)
    await page.click("#speak")
    await expect(page.locator("#reading mark")).not_to_be_empty()
    assert await page.text_content("#reading") == text
    await expect(page.locator("#state")).to_have_text("Finished.", timeout=GENEROUS_SECONDS * 1000)
    assert await page.text_content("#reading mark") == ""
    speech = await gateway.client.synthesize(text, seed=1, speed=0.5, timing_types=[TimingType.WORD])
    words = {word.word: word for word in speech.timings.words}
    assert list(words) == ["One", "two", "three", "four", "Five", "six", "seven"]
    marks = await page.evaluate("window.marks")
    assert [mark["word"] for mark in marks] == [word for word in words if word in {mark["word"] for mark in marks}]
    assert len(marks) > len(words) / 2, "a busy machine may pass over a word, not over most of them"
    for mark in marks:
        assert mark["seconds"] >= words[mark["word"]].start_seconds, "no word is marked before it is heard"


async def test_a_word_is_marked_no_more_when_the_speech_is_stopped(page):
    await page.fill("#text", SENTENCE * 5)
    await page.click("#speak")
    await expect(page.locator("#reading mark")).not_to_be_empty()
    await page.click("#stop")
    await expect(page.locator("#reading mark")).to_be_empty()


async def test_a_document_is_spoken_and_marked_where_it_is_written(page, gateway):
    await page.fill("#text", "Salt & pepper.")
    await page.get_by_label("SSML").check()
    document = "<speak>\nSalt &amp; pepper.\n</speak>"
    assert await page.input_value("#text") == document
    await page.fill("#seed", "1")
    await page.evaluate(WATCH_MARKS)
    await page.click("#speak")
    await expect(page.locator("#state")).to_have_text("Finished.", timeout=GENEROUS_SECONDS * 1000)
    assert {mark["word"] for mark in await page.evaluate("window.marks")} <= {"Salt", "&amp;", "pepper"}
    assert await kept(page) == (await gateway.client.synthesize(ssml=document, seed=1)).audio


async def test_pronunciations_and_the_language_are_under_more(page, gateway):
    await page.fill("#text", "Tomato by SQL.")
    await page.fill("#seed", "1")
    await page.get_by_text("More options").click()
    assert await page.locator("#language option").all_text_contents() == [
        "Default of the voice",
        "Automatic, by script",
        "en-US",
        "de-DE",
    ]
    assert await page.input_value("#language") == ""
    await page.select_option("#language", "de-DE")
    await page.fill("#pronunciations", 'SQL = "sequel"\n\n tomato')
    await page.click("#speak")
    await expect(page.locator("#error")).to_contain_text("“tomato” is not a valid pronunciation; use word = IPA")
    await page.fill("#pronunciations", 'SQL = "sequel 2"\n\n tomato = tom')
    async with page.expect_response("**/v1/speech") as reply:
        await page.click("#speak")
    assert (await (await reply.value).all_headers())["x-voice"] == "ton:eins"
    speech = await gateway.client.synthesize(
        "Tomato by SQL.",
        seed=1,
        language="de-DE",
        pronunciations=[Pronunciation("SQL", respelling="sequel 2"), Pronunciation("tomato", ipa="tom")],
    )
    assert await kept(page) == speech.audio


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_marked_word_stands_out_and_moves_no_more_than_is_wanted(browser, gateway, scheme):
    for motion, scrolling in (("reduce", "auto"), ("no-preference", "smooth")):
        page = await opened(browser, gateway.url, color_scheme=scheme, reduced_motion=motion)
        await page.fill("#text", SENTENCE)
        await page.click("#speak")
        await expect(page.locator("#reading mark")).not_to_be_empty()
        assert await page.evaluate(CONTRAST) >= 4.5
        assert await page.evaluate("getComputedStyle(document.getElementById('reading')).scrollBehavior") == scrolling
        await page.close()


async def test_a_speech_that_fails_after_another_is_not_said_to_be_cut(page):
    await page.fill("#text", "This is right.")
    await page.click("#speak")
    await expect(page.locator("#download")).to_be_visible()
    await page.fill("#text", "  ")
    await page.click("#speak")
    await expect(page.locator("#error")).to_contain_text("text: is empty")
    await expect(page.locator("#state")).to_have_text("Failed.")


# The groups of the voices, as they are shown: each with its options.
VOICE_GROUPS = """() => Object.fromEntries([...document.querySelectorAll("#voice optgroup")].map(
  (group) => [group.label, [...group.children].map((option) => option.textContent)]))"""


def listed(name: str, language: str, **facts: object) -> dict[str, object]:
    """A voice as GET /v1/voices lists it."""
    return {"id": name, "language": language, "speakers": [], "gender": "", "grade": ""} | facts


async def opened_with(browser: Any, gateway: Any, voices: list[dict[str, object]], **options: Any) -> Page:
    """Returns the page of a server with these voices."""
    context = await browser.new_context(**options)
    page = await context.new_page()
    await page.route("**/v1/voices", lambda route: route.fulfill(json={"voices": voices}))
    await page.goto(gateway.url)
    await expect(page.locator("#server")).to_have_text("Speech server ready")
    return page


@pytest.mark.parametrize("width", [360, 1280])
async def test_many_voices_are_grouped_by_language(browser, gateway, width):
    languages = {"a": "en-US", "b": "en-GB", "z": "zh-CN", "x": "no tag at all"}
    voices = [listed("en_US-joe-medium", "en-US")]
    voices += [
        listed(f"{letter}{sex}_{number}", language, gender={"f": "female", "m": "male"}[sex], grade="C+")
        for letter, language in languages.items()
        for sex in "fm"
        for number in range(7)
    ]
    page = await opened_with(browser, gateway, voices, viewport={"width": width, "height": 800})
    groups = await page.evaluate(VOICE_GROUPS)
    assert {label: len(options) for label, options in groups.items()} == {
        "American English (en-US)": 15,
        "British English (en-GB)": 14,
        "Chinese (China) (zh-CN)": 14,
        "no tag at all": 14,
    }
    assert groups["American English (en-US)"][:2] == ["en_US-joe-medium", "af_0 (female, grade C+)"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.select_option("#voice", "zm_3")
    await shot(page, f"voices-{width}")
    await page.close()


async def test_one_voice_is_one_group(browser, gateway):
    page = await opened_with(browser, gateway, [listed("af_heart", "en-US", grade="A")])
    assert await page.evaluate(VOICE_GROUPS) == {"American English (en-US)": ["af_heart (grade A)"]}
    assert await page.input_value("#voice") == ""
    await page.close()


async def test_the_script_selects_the_voice_where_the_language_is_automatic(page):
    await page.get_by_text("More options").click()
    await page.select_option("#language", "auto")
    async with page.expect_response("**/v1/speech") as reply:
        await page.click("#speak")
    sent = (await reply.value).request.post_data_json
    assert (sent["voice"], sent["language"]) == ("", "auto")
    assert (await (await reply.value).all_headers())["x-voice"] == "tone"


async def test_voices_are_offered(page, gateway):
    assert await page.evaluate(VOICE_GROUPS) == {
        "American English (en-US)": ["tone"],
        "German (Germany) (de-DE)": ["ton:eins (female, grade B)", "ton:zwei (female, grade B)"],
    }
    await page.select_option("#voice", "ton:zwei")
    await page.fill("#text", SENTENCE)
    async with page.expect_response("**/v1/speech") as reply:
        await page.click("#speak")
    assert (await (await reply.value).all_headers())["x-voice"] == "ton:zwei"


async def test_a_server_that_goes_and_comes_back_is_noticed(browser, gateways, server):
    async with gateways.gateway_before(server.target) as gateway:
        page = await opened(browser, gateway.url)
        await server.health.set("", is_serving=False)
        await expect(page.locator("#server")).to_contain_text("not ready", timeout=15_000)
        await shot(page, "down")
        await server.health.set("", is_serving=True)
        await expect(page.locator("#server")).to_have_text("Speech server ready", timeout=15_000)
        await page.close()


async def test_a_key_is_asked_for_where_one_is_wanted(browser, gateways, server):
    async with gateways.gateway_before(server.target, api_keys="open-sesame") as gateway:
        page = await opened(browser, gateway.url)
        await expect(page.locator("#key")).to_be_visible()
        await page.fill("#key", "open-sesame")
        await page.fill("#text", SENTENCE)
        await page.click("#speak")
        await expect(page.locator("#download")).to_be_visible()
        await page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_fits_a_phone_and_a_desk_by_day_and_by_night(browser, gateway, width, scheme):
    size = {"width": width, "height": 800}
    page = await opened(browser, gateway.url, viewport=size, color_scheme=scheme)
    await page.fill("#text", SENTENCE)
    await page.click("#speak")
    await expect(page.locator("#download")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await shot(page, f"{scheme}-{width}")
    await page.close()


async def test_everything_can_be_reached_by_keyboard_and_has_a_name(page):
    names = await page.evaluate(
        "[...document.querySelectorAll('textarea, select, input, button')].filter((e) => e.offsetParent)"
        ".map((e) => e.labels?.[0]?.textContent.trim() || e.textContent.trim())"
    )
    assert all(names)
    reached = []
    await page.focus("#text")
    for _ in range(8):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("document.activeElement.id"))
    assert reached == ["voice", "speed", "pitch", "emotion", "seed", "reference", "reference-transcript", "speak"]


async def test_a_recording_that_is_chosen_is_what_the_voice_speaks_like(page, gateway, speech, wav):
    content = wav(speech(hz=170.0))
    await expect(page.locator("#recording")).to_be_visible()
    await page.fill("#seed", "5")
    await page.set_input_files("#reference", {"name": "me.wav", "mimeType": "audio/wav", "buffer": content})
    await page.fill("#reference-transcript", "Its words.")
    await page.click("#speak")
    await expect(page.locator("#state")).to_have_text("Finished.", timeout=1000 * GENEROUS_SECONDS)
    text = await page.input_value("#text")
    spoken = await gateway.client.synthesize(text, seed=5, reference=Recording(content))
    assert await kept(page) == spoken.audio
    await shot(page, "recording")
    await page.click("#reference-clear")
    assert await page.evaluate("document.getElementById('reference').files.length") == 0
    await expect(page.locator("#reference-clear")).to_be_hidden()


async def test_a_recording_that_is_dropped_is_refused_with_what_to_record(page):
    await page.evaluate("""() => {
      const files = new DataTransfer();
      files.items.add(new File(["no audio"], "me.wav", { type: "audio/wav" }));
      const drop = new DragEvent("drop", { dataTransfer: files, bubbles: true });
      document.getElementById("recording").dispatchEvent(drop);
    }""")
    await page.click("#speak")
    await expect(page.locator("#error")).to_contain_text("reference.audio: is not an audio file of a known format")


async def test_without_a_voice_that_takes_recordings_none_is_offered(browser, gateway):
    context = await browser.new_context()
    page = await context.new_page()

    async def without(route: Any) -> None:
        reply = await route.fetch()
        voices = [voice | {"reference_use": "none"} for voice in (await reply.json())["voices"]]
        await route.fulfill(response=reply, json={"voices": voices})

    await page.route("**/v1/voices", without)
    await page.goto(gateway.url)
    await expect(page.locator("#voice option")).not_to_have_count(1)
    await expect(page.locator("#recording")).to_be_hidden()
