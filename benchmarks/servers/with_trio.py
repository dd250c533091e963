"""Trio's `serve_tcp`; lines are cut by hand, as it leaves that to its users."""

from typing import Any

import trio

from benchmarks.servers.common import BACKLOG, SLOW, SLOW_SECONDS, announce, run


async def echo(stream: Any) -> None:
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            await stream.send_all(line + b"\n")


async def slow_echo(stream: Any) -> None:
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line.startswith(SLOW):
                await trio.sleep(SLOW_SECONDS)
            await stream.send_all(line + b"\n")


async def serve(handle: Any) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(
                handle, 0, host="127.0.0.1", backlog=BACKLOG, task_status=task_status
            )
        )
        announce(listeners[0].socket.getsockname())


if __name__ == "__main__":
    run(
        {
            ("trio", "lines"): lambda: trio.run(serve, echo),
            ("trio", "slow"): lambda: trio.run(serve, slow_echo),
        }
    )
