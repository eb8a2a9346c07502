"""Documents read for a caller of one English voice, where a German, a French and a choir are loaded too."""

from dataclasses import dataclass

import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.text.passage import Script
from phonoscope.server.text.ssml.document import read_document

ANN = tone_voice("ann", language="en-US")
VOICES = (
    ANN,
    tone_voice("eva", language="de-DE"),
    tone_voice("luc", language="fr-FR"),
    tone_voice("choir", language="en-GB", speakers=("anna", "bob")),
)


@dataclass(frozen=True)
class Said:
    """What a document says.

    Attributes:
        texts: of its passages.
        pauses: before each of them, and at the end.
        speakers: of each, as "voice:number"; "" for the caller's own.
        runs: stretches that are said in another way than the caller asks for.
    """

    source: str
    script: Script

    @property
    def texts(self) -> list[str]:
        return [passage.text for passage in self.script.passages]

    @property
    def pauses(self) -> list[float]:
        return [*(passage.pause_seconds for passage in self.script.passages), self.script.pause_seconds]

    @property
    def speakers(self) -> list[str]:
        passages = self.script.passages
        return [f"{one.voice.id}:{one.speaker}" if one.voice else "" for one in passages]

    @property
    def runs(self) -> list[tuple[str, Prosody]]:
        return [
            (passage.text[one.start : one.stop], one.prosody)
            for passage in self.script.passages
            for one in passage.manners
        ]

    def prosody(self, word: str) -> Prosody:
        """How a word is said."""
        return next((prosody for text, prosody in self.runs if word in text), NEUTRAL)

    def written(self, word: str) -> str:
        """What stands in the document for a word that is said."""
        for passage in self.script.passages:
            if (start := passage.text.find(word)) >= 0:
                return self.source[slice(*passage.source(start, start + len(word)))]
        raise AssertionError(f"{word} is not said")


class Documents:
    """Reads documents of strangers."""

    def __call__(self, document: str, *, skips: bool = False) -> Said:
        return Said(document, read_document(document, ANN, VoiceChoice(VOICES), skips_unsupported=skips))

    def speak(self, content: str, *, skips: bool = False) -> Said:
        return self(f"<speak>{content}</speak>", skips=skips)

    def refusal(self, document: str, *, skips: bool = False) -> tuple[str, str]:
        """The reason why a document is refused, and where and what."""
        with pytest.raises(InvalidRequest) as caught:
            self(document, skips=skips)
        (violation,) = caught.value.violations
        assert violation.field == "ssml"
        assert caught.value.reason in InvalidRequest.REASONS
        return caught.value.reason, violation.description


@pytest.fixture(scope="session")
def read() -> Documents:
    return Documents()
