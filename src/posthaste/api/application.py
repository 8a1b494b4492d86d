"""The API as one ASGI application: which verbs there are, and what each is given. `app.py` gives it the parts."""

from collections.abc import Callable, Iterable, Mapping

from starlette.routing import Router

from posthaste.api.availability import AvailabilityRoutes
from posthaste.api.batch import accepting
from posthaste.api.calls import Verb
from posthaste.api.checks import Checks
from posthaste.api.contacts import ContactRoutes
from posthaste.api.conversations import ConversationRoutes
from posthaste.api.docs import DocsRoutes, openapi
from posthaste.api.edge import Edge, Nowhere, Paths, Resource
from posthaste.api.fallback import FallbackRoutes
from posthaste.api.files import FileRoutes
from posthaste.api.health import HealthRoutes
from posthaste.api.hooks import HookRoutes, Hooks
from posthaste.api.keyring import Keyring
from posthaste.api.lines import LineRoutes
from posthaste.api.messages import MessageRoutes
from posthaste.api.parse_line import Setting
from posthaste.api.quotas import Quotas
from posthaste.api.replies import ReplyRoutes
from posthaste.api.unsubscribe import UnsubscribeRoutes
from posthaste.api.watch import Watch
from posthaste.clock import Clock
from posthaste.core.channels import Kind
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.settings import Settings
from posthaste.store.base import Store


def build(
    settings: Settings,
    store: Store,
    clock: Clock,
    ids: Ids,
    hooks: Hooks,
    checks: Checks,
    *,
    is_ready: Callable[[], bool] = lambda: True,
    kinds: Mapping[str, Kind],
    links: Links,
) -> Router:
    """Return the application. `is_ready` is asked by `/readyz`; everything else answers at once.

    `kinds` are the channels for which lines can be added, `links` what makes and reads our own addresses.
    """
    keyring = Keyring(store, clock, settings.key_cache_ms)
    edge = Edge(keyring, Quotas(settings, clock), clock, ids, settings.waiting_max)
    return _router(edge, verbs(settings, store, clock, hooks, checks, is_ready, Setting(kinds, links.vault), links))


def verbs(
    settings: Settings,
    store: Store,
    clock: Clock,
    hooks: Hooks,
    checks: Checks,
    is_ready: Callable[[], bool],
    setting: Setting,
    links: Links,
) -> list[Verb]:
    """Return every verb of the API, those that are called most at the top."""
    return [
        *MessageRoutes(settings, store, accepting(store, settings), Watch(store)).verbs(),
        *HookRoutes(hooks, settings.body_max_bytes).verbs(),
        *LineRoutes(settings, store, clock, setting, checks, links.public_url).verbs(),
        *ReplyRoutes(store).verbs(),
        *ConversationRoutes(settings, store).verbs(),
        *ContactRoutes(settings, store).verbs(),
        *FallbackRoutes(settings, store).verbs(),
        *AvailabilityRoutes(settings, store, checks).verbs(),
        *FileRoutes(settings, store, links).verbs(),
        *UnsubscribeRoutes(store, links).verbs(),
        *HealthRoutes(store, is_ready).verbs(),
        *DocsRoutes(openapi(setting.kinds)).verbs(),
    ]


def _router(edge: Edge, every: Iterable[Verb]) -> Router:
    by_path: dict[str, dict[str, Verb]] = {}
    for verb in every:
        by_path.setdefault(verb.path, {})[verb.method] = verb
    # A name goes before a place that any name would fill.
    paths = sorted(by_path, key=lambda path: "{" in path)
    return Paths({path: Resource(edge, by_path[path]) for path in paths}, default=Nowhere(edge))
