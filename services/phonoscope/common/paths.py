"""The default directory of voices. Used by the server's settings and the command line.

The path is the XDG default for user data. XDG_DATA_HOME is not read, so that a server and a command line with
different environments have the same default; PHONOSCOPE_VOICES_DIR and --voices-dir override it.
"""

from pathlib import Path
from typing import Final

DEFAULT_VOICES_DIR: Final = Path("~/.local/share/phonoscope/voices")
"""Directory of downloaded voices. "~" keeps help texts short: call expanduser() before use."""
