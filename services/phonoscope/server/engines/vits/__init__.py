"""The VITS engine. Importing it bounds how long OpenMP's threads spin, which has to happen before torch is loaded."""

from phonoscope.server.engines.vits.openmp import bound_spinning

bound_spinning()
