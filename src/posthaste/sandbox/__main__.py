"""`python -m posthaste.sandbox`: the sandbox by itself. `posthaste sandbox` calls the same `main`."""

import asyncio
import sys
from pathlib import Path

import click
import uvloop

from posthaste.sandbox.server import HOST, SandboxError, serve


@click.command(help="Run the sandbox: simulated Macs and phones to try Posthaste with.")
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=0, show_default="a free one", help="Port to listen on.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data/sandbox"),
    show_default=True,
    help="Folder that keeps Macs, messages and the journal.",
)
@click.option("--ends-with-stdin", is_flag=True, hidden=True)
def main(host: str, port: int, data: Path, ends_with_stdin: bool) -> None:
    """Serve until interrupted; one clear line if that is not possible."""
    ends_with = sys.stdin.fileno() if ends_with_stdin else None
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(host=host, port=port, data_dir=data, ready=_say, ends_with=ends_with))
    except SandboxError as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)


def _say(url: str) -> None:
    click.echo(url)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
