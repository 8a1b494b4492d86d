"""PostgreSQL's connections, set up so that no broken network and no stuck statement holds us for ever.

Values come back as SQLite gives them: flags and truth values as integers, sums as integers. Whole numbers go out as
`bigint` whatever their size, so that a statement is prepared once and not once for each size.
"""

from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap, Buffer, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import Int8Dumper

from posthaste.store.transaction import Row

Connection = psycopg.Connection[Row]
AsyncConnection = psycopg.AsyncConnection[Row]

_UNLESS_TOLD: dict[str, str | int] = {
    "fallback_application_name": "posthaste",
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "client_encoding": "UTF8",
}
"""What a URL that says nothing about it gets; a dead peer is noticed within a minute."""

_SESSION = """
    SET TIME ZONE 'UTC';
    SET statement_timeout = '30s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '60s';
    -- What we have answered must outlive a power cut; a stricter setting than 'on' stays.
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_WRITING = """
    -- All that a writing action reads it finds by an index. A plan made while a table was small would read all of it, as long
    -- as the connection keeps that plan.
    SET enable_seqscan = off
"""
_STATEMENTS_KEPT = 512


class _Flag(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


class _Number(Loader):
    """The sum of bigints is a numeric."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return float(text) if "." in text else int(text)


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_dumper(bool, _FlagDumper)
    adapters.register_loader("bool", _Flag)
    adapters.register_loader("numeric", _Number)
    return adapters


class _FlagDumper(Int8Dumper):
    def dump(self, obj: Any) -> Buffer | None:
        return b"1" if obj else b"0"


_ADAPTERS = _adapters()


def connect_writer(url: str) -> Connection:
    """Open a connection for actions that write."""
    connection = connect(url)
    connection.execute(_WRITING)
    return connection


def connect(url: str) -> Connection:
    """Open a connection in autocommit mode, so that BEGIN and COMMIT are ours to say."""
    connection = Connection.connect(_conninfo(url), autocommit=True, context=_Context())
    connection.prepared_max = _STATEMENTS_KEPT
    try:
        connection.execute(_SESSION)
    except BaseException:
        connection.close()
        raise
    return connection


async def connect_async(url: str) -> AsyncConnection:
    """Open a connection that waits on the event loop."""
    return await AsyncConnection.connect(_conninfo(url), autocommit=True)


def _conninfo(url: str) -> str:
    return make_conninfo("", **{**_UNLESS_TOLD, **conninfo_to_dict(url)})


class _Context:
    """What psycopg copies its adapters from."""

    adapters = _ADAPTERS
    connection = None
