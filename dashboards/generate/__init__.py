"""Writes the Grafana dashboards: `python -m dashboards.generate`, which `make dashboards` runs.

`panels.py` has the vocabulary, `board.py` lays panels out, and one module for each dashboard says what is on it. The
JSON model is Grafana's own (grafana.com/docs, "Dashboard JSON model"), in schema 39: what Grafana 11.0 writes and what
every later one reads.
"""
