"""The query of `GET /api/conversations`: which conversations."""

from collections.abc import Mapping

from posthaste.actions.show_conversations import ConversationFilters, Search
from posthaste.api.fields import own_id, text
from posthaste.api.parse_filters import refuse_nul


def parse_conversation_filters(query: Mapping[str, str]) -> ConversationFilters:
    refuse_nul(query)
    search = text(query, "search")
    return ConversationFilters(own_id(query, "leadId"), own_id(query, "lineId"), Search(search) if search else None)
