"""Several processes that start at the same moment on a database without any table: one schema, one sandbox, and all are ready."""

import asyncio
from pathlib import Path

from fixtures.postgres_server import PostgresServer
from fixtures.processes import caller, sandbox_file, site


def test_processes_that_start_together_on_an_empty_database_agree(tmp_path: Path, postgres_server: PostgresServer) -> None:
    async def main(url: str) -> None:
        async with site(tmp_path, url) as made:
            programs = [made.program(role) for role in ("api", "worker", "api", "worker")]
            for program in programs:
                program.start()
            for program in programs:
                await program.ready()
            assert made.number("SELECT count(*) FROM workspaces") == 1
            assert made.number("SELECT count(*) FROM lines") == 4
            assert made.number("SELECT count(*) FROM devices") == 4
            for one in (programs[0], programs[2]):
                assert len(sandbox_file(one)["lines"]) == 4
                async with caller([one]) as calls:
                    answer = await calls.call("GET", "/api/lines/by-user")
                    assert answer.status_code == 200, answer.text

    with postgres_server.empty_database() as url:
        asyncio.run(main(url))
