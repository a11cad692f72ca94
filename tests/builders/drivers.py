"""Both drivers behind one face, so that one test holds for both; the asyncio one runs in its own loop."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any, Protocol, Self, cast

from taxclient import Client
from taxclient.aio import AsyncClient, AsyncEventStream


class Driver(Protocol):
    """What makes a client; it has the blocking client's methods."""

    def __call__(
        self, endpoint: str, *, timeout_ms: int = ..., connect_ms: int = ..., lang: str = ...
    ) -> Client: ...


class Awaited:
    """An asyncio client or stream whose calls are awaited one by one."""

    def __init__(
        self, awaited: AsyncClient | AsyncEventStream, runner: asyncio.Runner, *, owns: bool
    ) -> None:
        self._awaited = awaited
        self._runner = runner
        self._owns = owns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._awaited.close()
        if self._owns:
            self._runner.close()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._awaited, name)
        if not inspect.iscoroutinefunction(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            result = self._runner.run(found(*args, **kwargs))
            return (
                Awaited(result, self._runner, owns=False) if isinstance(result, AsyncEventStream) else result
            )

        return call


def asyncio_driver(endpoint: str, **options: Any) -> Client:
    """An AsyncClient with a loop of its own."""
    return cast("Client", Awaited(AsyncClient(endpoint, **options), asyncio.Runner(), owns=True))


DRIVERS: list[Driver] = [Client, asyncio_driver]
