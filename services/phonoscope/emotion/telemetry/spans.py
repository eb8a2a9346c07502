"""What a call's SERVER span says of the analysis: attributes, set in the task of the call. Never the text."""

from opentelemetry.trace import get_current_span

from phonoscope.common import span_attributes as names
from phonoscope.emotion.events import Event, TextsAnalyzed


def describe_span(event: Event) -> None:
    """Takes an event; sets the attributes of the current span."""
    if isinstance(event, TextsAnalyzed):
        get_current_span().set_attributes(
            {
                names.EMOTION_TEXTS: len(event.results),
                names.EMOTIONS: [emotion for _, emotion, _ in event.results],
                names.WAIT_SECONDS: event.wait_seconds,
                names.WORK_SECONDS: event.model_seconds,
            }
        )
