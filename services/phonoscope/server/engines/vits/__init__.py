"""The VITS engine. Importing it sets environment variables of OpenMP and oneDNN, which read them when torch loads."""

from phonoscope.server.engines.libraries import configure_libraries

configure_libraries()
