"""The fixture that pytest finds by itself once acceptor is installed."""

import contextlib
from collections.abc import Generator

import pytest

from acceptor.testing.fixture import ServeFixture, starter


@pytest.fixture
def acceptor_serve() -> Generator[ServeFixture, None, None]:
    """Start servers that end with the test, which fails if a handler raised.

    `serving = acceptor_serve(ready, client=True)`; takes what `acceptor.testing.serve` takes.
    """
    with contextlib.ExitStack() as stack:
        yield starter(stack)
