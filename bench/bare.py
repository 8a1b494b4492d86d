"""The baseline of accepting: a bare handler on the same stack.

It parses the same body and does one durable insert with group commit, and nothing else.

python -m bench.bare DATABASE_URL PORT
"""

import sys
from collections.abc import Sequence

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.store.base import Store
from posthaste.store.gather import Gatherer
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction


async def bare(url: str) -> Starlette:
    """Return an application that stores bodies and does nothing else."""
    store = await open_store(url, SystemClock(), Ids())
    await store.write(
        lambda tx: tx.run("CREATE TABLE IF NOT EXISTS bare (id TEXT PRIMARY KEY, at BIGINT NOT NULL, body TEXT NOT NULL)")
    )
    gatherer = _gatherer(store)

    async def post(request: Request) -> Response:
        body = msgspec.json.decode(await request.body())
        stored = await gatherer.ask(msgspec.json.encode(body).decode())
        return Response(msgspec.json.encode({"success": True, "id": stored}), 201, media_type="application/json")

    return Starlette(routes=[Route("/api/messages", post, methods=["POST"])])


def _gatherer(store: Store) -> Gatherer[str, str]:
    async def run(bodies: Sequence[str]) -> Sequence[str]:
        return await store.write(_insert, bodies)

    return Gatherer(run, 64)


def _insert(tx: Transaction, bodies: Sequence[str]) -> list[str]:
    rows = [{"id": tx.new_id(), "at": tx.now, "body": body} for body in bodies]
    tx.many("INSERT INTO bare (id, at, body) VALUES (:id, :at, :body)", rows)
    return [str(row["id"]) for row in rows]


async def main(url: str, port: int) -> None:
    config = uvicorn.Config(await bare(url), port=port, lifespan="off", access_log=False, log_level="warning")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    import asyncio

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2])))
