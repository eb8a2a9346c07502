"""The gateway's page in a real Chromium, before a real gRPC server with the tone engine, which a test can hold."""

import importlib.util
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

INTEGRATION = Path(__file__).parents[1] / "integration"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"integration_{name}", INTEGRATION / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def gateways() -> ModuleType:
    """tests/integration/test_gateway.py, for its `gateway_before`."""
    return _module("test_gateway")


@pytest.fixture(scope="session")
def servers() -> ModuleType:
    """tests/integration/conftest.py, for its `running`."""
    return _module("conftest")


@pytest.fixture
async def server(servers: ModuleType) -> AsyncIterator[Any]:
    async with servers.running() as server:
        yield server


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no chromium on this machine: .ci/check-browser gets one")
    flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        await browser.close()
