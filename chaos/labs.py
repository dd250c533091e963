"""Opens the lab that suits a transport."""

import contextlib
from collections.abc import Generator, Mapping
from typing import Any

from chaos.framed_lab import FramedLab
from chaos.host import Host
from chaos.lab import FRAMED, Lab


@contextlib.contextmanager
def opened(
    host: Host, transport: str, strategy: str, *, timeouts: Mapping[str, float], **values: Any
) -> Generator[Lab, None, None]:
    """Open a server in the host and close it again; `values` are `parts`, `limits`, and a lab's."""
    parts, limits = values.pop("parts", ()), values.pop("limits", {})
    address = host.call("open", parts=list(parts), limits=limits, timeouts=timeouts)
    where = address if isinstance(address, str) else tuple(address)
    new_lab = FramedLab if transport in FRAMED else Lab
    lab = new_lab(host, transport, strategy, where, timeouts, **values)
    try:
        yield lab
    finally:
        lab.leave()
        if not host.lost:
            host.call("close")
