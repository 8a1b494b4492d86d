"""Put the world behind HTTP: one app, one port, every device under a path of its own.

Routes are made once for all worlds, because a simulation builds thousands of them; which world a request means is in
the app's state.
"""

from starlette.applications import Starlette

from posthaste.sandbox import android_face, bluebubbles, control, page, sendblue_face
from posthaste.sandbox.connection import ConnectionDied, answer_nothing
from posthaste.sandbox.world import World

ROUTES = [bluebubbles.ROUTES, android_face.ROUTES, sendblue_face.ROUTES, *control.ROUTES, *page.ROUTES]


def build(world: World) -> Starlette:
    """Return the app through which programs and people reach this world."""
    app = Starlette(routes=ROUTES, exception_handlers={ConnectionDied: answer_nothing})
    app.state.world = world
    return app
