"""The default directories of voices and of cached data. Used by the server's settings and the command line.

The paths are the XDG defaults for user data and for caches. XDG_DATA_HOME and XDG_CACHE_HOME are not read, so that a
server and a command line with different environments have the same defaults; PHONOSCOPE_VOICES_DIR, --voices-dir,
PHONOSCOPE_CACHE_DIR and --cache-dir override them.
"""

from pathlib import Path
from typing import Final

DEFAULT_VOICES_DIR: Final = Path("~/.local/share/phonoscope/voices")
"""Directory of downloaded voices. "~" keeps help texts short: call expanduser() before use."""

DEFAULT_CACHE_DIR: Final = Path("~/.cache/phonoscope")
"""Directory of what can be computed again; expanduser() as above."""
