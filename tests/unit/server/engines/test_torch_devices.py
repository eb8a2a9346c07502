"""Names of devices that torch has and has not, and whether a device still works."""

import pytest
import torch

from phonoscope.common.errors import SettingsError
from phonoscope.server.engines.torch_devices import device_error, resolve_device


@pytest.fixture
def cuda_devices(monkeypatch):
    """Pretends that torch sees a number of CUDA devices."""

    def pretend(count):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)

    return pretend


class TestResolveDevice:
    @pytest.mark.parametrize(
        ("name", "devices", "resolved"),
        [
            ("auto", 0, "cpu"),
            ("auto", 2, "cuda"),
            ("cpu", 0, "cpu"),
            ("cpu", 2, "cpu"),
            ("cuda", 1, "cuda"),
            ("cuda:0", 1, "cuda:0"),
            ("cuda:1", 2, "cuda:1"),
        ],
    )
    def test_names_of_devices_that_are_there(self, cuda_devices, name, devices, resolved):
        cuda_devices(devices)
        assert str(resolve_device(name)) == resolved

    @pytest.mark.parametrize(
        "name", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:٣", "cpu:0", "mps", "cuda:0 "]
    )
    def test_other_names_are_refused_with_the_valid_ones(self, cuda_devices, name):
        cuda_devices(8)
        with pytest.raises(SettingsError, match="use auto, cpu, cuda or cuda:N"):
            resolve_device(name)

    @pytest.mark.parametrize(("name", "devices"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2), ("cuda:99999999999", 1)])
    def test_devices_that_are_not_there_are_refused_with_what_to_check(self, cuda_devices, name, devices):
        cuda_devices(devices)
        with pytest.raises(SettingsError, match=rf"torch finds {devices} CUDA device.*check the driver"):
            resolve_device(name)


class TestDeviceError:
    def test_a_device_that_works_has_none(self, monkeypatch):
        monkeypatch.setattr("torch.cuda.synchronize", lambda _device: None)
        assert device_error(torch.device("cuda:0")) == ""

    def test_the_first_line_of_what_torch_says(self, monkeypatch):
        def fail(_device):
            raise RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later")

        monkeypatch.setattr("torch.cuda.synchronize", fail)
        assert device_error(torch.device("cuda:0")) == "CUDA error: device-side assert triggered"

    def test_a_cpu_is_not_lost(self, monkeypatch):
        monkeypatch.delattr("torch.cuda.synchronize")
        assert device_error(torch.device("cpu")) == ""
