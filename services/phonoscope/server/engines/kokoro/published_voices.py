"""What the maker of Kokoro-82M states about its 54 voices: gender and grade. Called by `loading.py`.

The grade estimates quality and quantity of a voice's training data. Spanish and Portuguese voices have none.

Source: VOICES.md of hexgrad/Kokoro-82M, column "Overall Grade".
"""

from collections.abc import Mapping
from typing import Final

from phonoscope.server.types import Gender

_GENDERS: Final[Mapping[str, Gender]] = {"f": "female", "m": "male"}
_VOICES: Final = {
    "A": "af_heart",
    "A-": "af_bella",
    "B-": "af_nicole bf_emma ff_siwis",
    "C+": "af_aoede af_kore af_sarah am_fenrir am_michael am_puck jf_alpha",
    "C": "af_alloy af_nova bf_isabella bm_fable bm_george hf_alpha hf_beta hm_omega hm_psi if_sara im_nicola "
    "jf_gongitsune jf_tebukuro",
    "C-": "af_sky jf_nezumi jm_kumo",
    "D+": "bm_lewis",
    "D": "af_jessica af_river am_echo am_eric am_liam am_onyx bf_alice bf_lily bm_daniel zf_xiaobei zf_xiaoni "
    "zf_xiaoxiao zf_xiaoyi zm_yunjian zm_yunxi zm_yunxia zm_yunyang",
    "D-": "am_santa",
    "F+": "am_adam",
}
GRADES: Final[Mapping[str, str]] = {name: grade for grade, names in _VOICES.items() for name in names.split()}
"""The grade of each voice that has one."""


def gender_of(voice_name: str) -> Gender:
    """Returns the gender that a name such as "af_heart" states in its second letter; "" if it does not."""
    return _GENDERS.get(voice_name[1:2], "")
