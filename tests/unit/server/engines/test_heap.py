"""Freed memory is returned where the C library can."""

import ctypes

from phonoscope.server.engines.heap import return_freed_memory


def test_the_c_library_is_asked(monkeypatch):
    asked = []

    class Library:
        def malloc_trim(self, pad):
            asked.append(pad)

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    return_freed_memory()
    assert asked == [0]


def test_a_library_that_cannot_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    return_freed_memory()
