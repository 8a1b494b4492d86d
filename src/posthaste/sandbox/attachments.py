"""BlueBubbles' routes for files: put one on the Mac, send one or several, ask for one, fetch one.

There are two ways to send. `message/attachment` takes one file and no text, by AppleScript or the Private API.
`message/multipart` takes any mixture, by the Private API alone, of files that were uploaded before; its `tempGuid` keeps
a second request out, as anywhere, but no webhook ever tells it.
"""

from pathlib import PurePosixPath

import msgspec
from starlette.responses import Response

from posthaste.sandbox import sending
from posthaste.sandbox.entries import Attached, Row, Uploaded
from posthaste.sandbox.envelope import (
    Call,
    Fault,
    Refusal,
    Upload,
    bad_request,
    checked,
    not_found,
    require_private_api,
    success,
    validate,
)
from posthaste.sandbox.files import media_type_of
from posthaste.sandbox.messages import (
    APPLE_SCRIPT,
    PRIVATE_API,
    TEXT_WORDS,
    Words,
    answered,
    chat_for,
    deliver,
    echo,
    sent_with_error,
)
from posthaste.sandbox.render import attachment_json
from posthaste.sandbox.validation import ARRAY, BOOLEAN, NUMERIC, REQUIRED, STRING, at_least, one_of

_WORDS = Words("Attachment sent!", "Attachment Send Error", "Failed to send attachment! See attached message error code.")
_NOT_PROVIDED = "Attachment not provided or was empty!"

_FORM_RULES = {
    "chatGuid": (REQUIRED, STRING),
    "tempGuid": (STRING,),
    "method": (STRING, one_of(APPLE_SCRIPT, PRIVATE_API)),
    "name": (REQUIRED, STRING),
    "isAudioMessage": (BOOLEAN,),
    "effectId": (STRING,),
    "subject": (STRING,),
    "selectedMessageGuid": (STRING,),
    "partIndex": (NUMERIC, at_least(0)),
}
_MULTIPART_RULES = {
    "chatGuid": (REQUIRED, STRING),
    "tempGuid": (STRING,),
    "effectId": (STRING,),
    "subject": (STRING,),
    "selectedMessageGuid": (STRING,),
    "partIndex": (NUMERIC, at_least(0)),
    "parts": (REQUIRED, ARRAY),
}
_DOWNLOAD_RULES = {
    "height": (NUMERIC, at_least(1)),
    "width": (NUMERIC, at_least(1)),
    "quality": (STRING, one_of("good", "better", "best")),
    "force": (BOOLEAN,),
    "original": (BOOLEAN,),
}


class FileForm(msgspec.Struct, frozen=True, rename="camel"):
    chat_guid: str
    name: str
    temp_guid: str = ""
    method: str = ""
    effect_id: str = ""
    subject: str = ""
    selected_message_guid: str = ""

    @property
    def way(self) -> str:
        """Return the method, which some fields force."""
        return PRIVATE_API if self.effect_id or self.subject or self.selected_message_guid else self.method or APPLE_SCRIPT


class Multipart(msgspec.Struct, frozen=True, rename="camel"):
    chat_guid: str
    parts: list[object]
    temp_guid: str | None = None


async def upload(call: Call) -> Response:
    require_private_api(call)
    file = call.world.keep_file(*_named(_given(call)))
    path = f"{call.world.new_guid()}/{file.name}"
    call.world.record(Uploaded(call.mac.id, path, file))
    return success(data={"path": path})


async def send_one(call: Call) -> Response:
    form = checked(call, _FORM_RULES, FileForm)
    if form.way == APPLE_SCRIPT and not form.temp_guid:
        raise bad_request("A 'tempGuid' is required when sending via AppleScript")
    if form.temp_guid and form.temp_guid in call.mac.in_flight:
        raise bad_request("Attachment is already queued to be sent!")
    given = _given(call)
    chat = chat_for(call, form.chat_guid, form.way, _WORDS)
    file = call.world.keep_file(PurePosixPath(form.name).name, given.content)
    outcome = await deliver(call, chat, sending.Draft("", (file,), form.temp_guid or None))
    # The Private API's own answer is passed on without a look at what became of the message.
    if isinstance(outcome, sending.Failed) and form.way == PRIVATE_API:
        return success(_WORDS.sent, data=echo(call, outcome.row, None))
    return answered(call, outcome, _WORDS, None, with_files=form.way == APPLE_SCRIPT)


async def send_several(call: Call) -> Response:
    asked = checked(call, _MULTIPART_RULES, Multipart)
    parts = [_part(call, part) for part in asked.parts]
    if asked.temp_guid and asked.temp_guid in call.mac.in_flight:
        raise bad_request("Message is already queued to be sent!")
    chat = chat_for(call, asked.chat_guid, PRIVATE_API)
    files = tuple(part for part in parts if isinstance(part, Attached))
    text = "".join(part for part in parts if isinstance(part, str))
    outcome = await deliver(call, chat, sending.Draft(text, files, asked.temp_guid or None, is_matched=False))
    if isinstance(outcome, sending.Failed):
        raise sent_with_error(call, outcome.row, asked.temp_guid)
    return answered(call, outcome, TEXT_WORDS, asked.temp_guid)


async def count(call: Call) -> Response:
    return success(data={"total": call.mac.attachment_count})


async def find(call: Call) -> Response:
    row, file = _attachment_of(call)
    return success(data=attachment_json(call.mac, row, file))


async def download(call: Call) -> Response:
    """Answer with the file as it is: the sandbox converts and resizes nothing."""
    validate(call.query, _DOWNLOAD_RULES)
    _, file = _attachment_of(call)
    content = call.world.files.read(file.sha256)
    if content is None:
        raise Refusal(500, "The server has encountered an error", Fault.SERVER, "Attachment does not exist in disk!")
    return Response(content, media_type=file.media_type)


def _attachment_of(call: Call) -> tuple[Row, Attached]:
    found = call.mac.attachment_of(call.param("guid"))
    if found is None:
        raise not_found("Attachment does not exist!")
    return found


def _given(call: Call) -> Upload:
    given = call.uploads.get("attachment")
    if given is None or not given.content:
        raise bad_request(_NOT_PROVIDED)
    return given


def _named(given: Upload) -> tuple[str, bytes]:
    return PurePosixPath(given.name).name or "attachment", given.content


def _part(call: Call, part: object) -> Attached | str:
    """Return what a part adds to the message, or refuse it in the server's words."""
    if not isinstance(part, dict):
        raise bad_request("Each part must be a dictionary")
    if part.get("partIndex") is None:
        raise bad_request("Each part must have a partIndex")
    if not isinstance(part["partIndex"], int | float) or isinstance(part["partIndex"], bool):
        raise bad_request("Each partIndex must be a number")
    text, path, name = part.get("text"), part.get("attachment"), part.get("name")
    if not text and not path:
        raise bad_request("Each part must have either a text or attachment")
    if not path:
        return str(text)
    if not name:
        raise bad_request("Each attachment must have a name")
    uploaded = call.mac.uploads.get(str(path))
    if uploaded is None:
        raise bad_request(f"Attachment '{path}' does not exist")
    # An upload may be sent more than once, and is another attachment each time.
    named = PurePosixPath(str(name)).name
    return msgspec.structs.replace(uploaded, guid=call.world.new_guid(), name=named, media_type=media_type_of(named))
