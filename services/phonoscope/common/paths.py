"""Where Phonoscope keeps files on a user's machine. The server's settings and the command line share it.

The path follows the XDG default for user data. XDG_DATA_HOME is not read: PHONOSCOPE_VOICES_DIR and --voices-dir say
it plainly, and a server and a command line with different environments then still agree on the default.
"""

from pathlib import Path
from typing import Final

DEFAULT_VOICES_DIR: Final = Path("~/.local/share/phonoscope/voices")
"""Directory of pulled voices. "~" is left in, so that help texts show it short: call expanduser() before use."""
