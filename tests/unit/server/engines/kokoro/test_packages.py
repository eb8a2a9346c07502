"""The model that comes in four packages."""

from types import SimpleNamespace

import pytest

from phonoscope.server.engines.kokoro import packages


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes as if these packages were installed."""

    def do(numbers):
        def find(name):
            number = int(name[-1])
            if number not in numbers:
                return None
            (place := tmp_path / name).mkdir(exist_ok=True)
            (place / "part.bin").write_bytes(b"%d" % number)
            return SimpleNamespace(submodule_search_locations=[str(place)])

        monkeypatch.setattr(packages, "find_spec", find)

    return do


def test_the_parts_are_joined_in_order(install):
    install({1, 2, 3, 4})
    assert packages.read_parts(packages.packaged_parts()) == b"1234"


def test_a_part_that_is_not_installed_leaves_none(install):
    install({1, 2, 4})
    assert packages.packaged_parts() == []


def test_a_part_that_is_damaged_is_refused(install, refused):
    install({1, 2, 3, 4})
    parts = packages.packaged_parts()
    parts[2].write_bytes(b"")
    assert "empty" in refused(lambda: packages.read_parts(parts), parts[2])
