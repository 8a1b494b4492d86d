"""Which webhooks at a provider are ours: those that carry the token of our address, whatever host stood before it once.

A server that has moved, or is reached by another name now, leaves its earlier webhooks behind; other people's are never touched.
"""


def is_ours(url: str, hook_url: str, channel: str) -> bool:
    """Tell whether a webhook leads to our `hook_url`, or did under another host or with another query."""
    token = _token(url, channel)
    return bool(token) and token == _token(hook_url, channel)


def _token(url: str, channel: str) -> str:
    return url.partition(f"/hooks/{channel}/")[2].partition("?")[0].strip("/")
