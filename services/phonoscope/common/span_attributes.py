"""Names of spans, attributes and events in one place, because the conventions for RPC still change.

Used by common/call_spans.py, common/tracing.py and server/telemetry/spans.py. Names outside "tts." follow
OpenTelemetry's semantic conventions 1.44.0, whose RPC part is a release candidate: rpc.system.name replaced
rpc.system, rpc.response.status_code replaced rpc.grpc.status_code, and rpc.method includes the service.
docs/tracing.md describes each one.
"""

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"

# Of the process, on the resource.
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
REVISION: Final = "vcs.ref.head.revision"

# Of a call, on its SERVER span.
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS_CODE: Final = "rpc.response.status_code"
ERROR_TYPE: Final = "error.type"

# Of an HTTP request, on the gateway's SERVER span.
HTTP_METHOD: Final = "http.request.method"
HTTP_ROUTE: Final = "http.route"
HTTP_STATUS: Final = "http.response.status_code"

# Of a request for speech, on its call's SERVER span.
REQUEST_ID: Final = "tts.request_id"
VOICE: Final = "tts.voice"
MIXTURE: Final = "tts.mixture"
LANGUAGE: Final = "tts.language"
OUTCOME: Final = "tts.outcome"
REASON: Final = "tts.reason"
CHARACTERS: Final = "tts.characters"
AUDIO_SECONDS: Final = "tts.audio_seconds"
REAL_TIME_FACTOR: Final = "tts.real_time_factor"
TIME_TO_FIRST_AUDIO: Final = "tts.time_to_first_audio"

# Of an analysis, on the emotion service's SERVER span; WORK_SECONDS is there too.
EMOTION_TEXTS: Final = "emotion.texts"
EMOTIONS: Final = "emotion.strongest"
WAIT_SECONDS: Final = "emotion.wait_seconds"

# Of a sentence that is neutral, although its emotion was to be found: an event of the SERVER span, and the reason.
EMOTION_FALLBACK_EVENT: Final = "tts.emotion_fallback"
EMOTION_FALLBACK: Final = "tts.emotion.fallback"

# Below the SERVER span.
RECORDING_SPAN: Final = "tts.recording"
RECORDING_OUTCOME: Final = "tts.recording.outcome"
RECORDING_SECONDS: Final = "tts.recording.seconds"
TEXT_SPAN: Final = "tts.text"
SENTENCES: Final = "tts.sentences"
QUEUE_SPAN: Final = "tts.queue"
UTTERANCE_SPAN: Final = "tts.utterance"
UTTERANCE_INDEX: Final = "tts.utterance.index"
PHONEMES: Final = "tts.utterance.phonemes"
FIRST_AUDIO_EVENT: Final = "tts.first_audio"
ENCODE_SPAN: Final = "tts.encode"
ENCODING: Final = "tts.encoding"
WORK_SECONDS: Final = "tts.work_seconds"

# A root of its own.
BATCH_SPAN: Final = "tts.batch"
BATCH_STAGE: Final = "tts.batch.stage"
BATCH_SIZE: Final = "tts.batch.size"
BATCH_PADDING: Final = "tts.batch.padding_ratio"
