"""Style packs in every format, and bad ones."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.packs import find_packs, read_pack


def test_formats_agree(tmp_path, pack, shape):
    torch.save(pack, tmp_path / "af_a.pt")
    (tmp_path / "af_b.bin").write_bytes(pack.numpy().tobytes())
    np.savez(tmp_path / "af_c.npz", af_c=pack.numpy())
    np.savez(tmp_path / "many.npz", af_d=pack.numpy(), af_e=pack.numpy())
    (tmp_path / "many.npz").rename(tmp_path / "voices-v1.0.bin")
    found = find_packs(tmp_path)
    assert list(found) == ["af_a", "af_b", "af_c", "af_d", "af_e"]
    for path in found.values():
        assert torch.equal(read_pack(path, shape), pack.squeeze(1))


def test_packs_are_found_beside_the_checkpoint_and_in_its_folder_of_voices(tmp_path, pack):
    (tmp_path / "voices").mkdir()
    torch.save(pack, tmp_path / "af_a.pt")
    torch.save(pack, tmp_path / "voices" / "af_b.pt")
    assert sorted(find_packs(tmp_path)) == ["af_a", "af_b"]


@pytest.mark.parametrize("place", ["kokoro-82m", "kokoro-82m/voices"])
def test_a_folder_that_may_not_be_read_names_the_user(tmp_path, monkeypatch, place):
    (tmp_path / "kokoro-82m" / "voices").mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / place)
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999_999)
    with pytest.raises(VoiceFileError, match=f"{tmp_path / place}: permission denied for uid 3999999999, who runs"):
        find_packs(tmp_path / "kokoro-82m")


@pytest.mark.parametrize("name", ["af_heart.bin", "af_heart.pt", "af_heart.npz"])
def test_a_pack_that_may_not_be_read_names_the_user(tmp_path, monkeypatch, shape, refused, name):
    def deny(_path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / name).touch()
    monkeypatch.setattr(Path, "read_bytes", deny)
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999_999)
    message = refused(lambda: read_pack(tmp_path / name, shape), tmp_path / name)
    assert "permission denied for uid 3999999999, who runs the server" in message


@pytest.mark.parametrize("rows", [1, 31, 33])
def test_a_pack_of_the_wrong_length_is_refused(rows, tmp_path, shape, refused):
    path = tmp_path / "af_a.pt"
    torch.save(torch.zeros(rows, 1, 8), path)
    assert f"{rows} x 8 numbers, expected 32 x 1 x 8" in refused(lambda: read_pack(path, shape), path)


@pytest.mark.parametrize("content", [b"x", b"\0" * 33, b"PK\3\4" + b"\0" * 60])
@pytest.mark.parametrize("name", ["af_a.pt", "af_a.bin", "af_a.npz"])
def test_a_foreign_pack_is_refused(content, name, tmp_path, shape, refused):
    path = tmp_path / name
    path.write_bytes(content)
    assert "style pack" in refused(lambda: read_pack(path, shape), path)


def test_a_truncated_pack_is_refused(tmp_path, pack, shape, refused):
    path = tmp_path / "af_a.bin"
    path.write_bytes(pack.numpy().tobytes()[:-32])
    assert "wrong shape: 31 x 8" in refused(lambda: read_pack(path, shape), path)


def test_a_pack_that_is_not_finite_is_refused(tmp_path, pack, shape, refused):
    path = tmp_path / "af_a.pt"
    pack[3, 0, 2] = torch.nan
    torch.save(pack, path)
    assert "not finite" in refused(lambda: read_pack(path, shape), path)


def test_a_pack_of_something_else_is_refused(tmp_path, shape, refused):
    path = tmp_path / "af_a.pt"
    torch.save({"style": torch.zeros(2)}, path)
    assert "expected a tensor" in refused(lambda: read_pack(path, shape), path)
