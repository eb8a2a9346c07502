"""A recording of a request, and another for its emotion, reach the library through gRPC."""

from tests.indextts.test_server import TWO, running  # noqa: F401

from phonoscope.client import Recording as Sent


async def test_recordings_of_a_request_reach_the_library(running, speech, wav):  # noqa: F811
    spoken = running.engine.spoken
    a, b = Sent(wav(speech(hz=95.0))), Sent(wav(speech(hz=190.0)))
    plain = await running.client.synthesize(TWO, voice="indextts-ar", seed=1)
    one = await running.client.synthesize(TWO, voice="indextts-ar", seed=1, reference=a)
    again = await running.client.synthesize(TWO, voice="indextts-ar", seed=1, reference=a)
    two = await running.client.synthesize(
        TWO, voice="indextts-ar", seed=1, reference=a, emotion_reference=b, emotion_intensity=0.5
    )
    assert one.audio == again.audio != plain.audio
    assert two.audio != one.audio
    assert spoken[-1].emotion_reference is not None
    assert spoken[-1].emotion_intensity == 0.5
    assert spoken[-1].reference.sample_rate_hz == 22050
