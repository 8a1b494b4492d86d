"""What an address is: a phone number in E.164 or an e-mail address in lower case, as a plain `str`.

Two spellings of one address become the same text here, and nowhere else, because one address is one person. Whether
anybody can be reached there is not asked: a number must be possible, an e-mail address well-formed, no more.

What would surprise: an extension is dropped, since a message reaches a number and not a desk; letters count as the
digits on a keypad (1-800-FLOWERS); domains in `.test` and `.example` are taken, bare host names and `.local` are not.
"""

import re
from functools import lru_cache
from unicodedata import normalize

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from posthaste.core.errors import Refused, shown

_CACHED_ADDRESSES = 8192
_LONGEST = 320  # characters; above what either kind can have, so that nothing long is parsed or kept in a cache

# Contact books wrap numbers in invisible direction marks; they are not part of the number.
_INVISIBLE = dict.fromkeys([0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF])

# What needs no parsing, because parsing it would give it back: a number of the North American plan, spelt as E.164.
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}\Z")
# The parser skips to the first digit wherever it is, so "{{phone}} 6285550100" would pass as a number without this.
_STARTS_LIKE_A_NUMBER = re.compile(r"(?:tel:\s*)?[+(\[\uFF0B\uFF08\d]", re.IGNORECASE)


def is_email(address: str) -> bool:
    """Tell whether a normalised address is an e-mail address; otherwise it is a phone number."""
    return "@" in address


def normalise_phone(text: str, region: str, field: str = "recipientPhone") -> str:
    """Return a phone number in E.164; `region` says how to read one that is written without its country."""
    number = _e164(text, region) if len(text) <= _LONGEST else None
    if number is None:
        raise Refused(f"{field} is not a possible phone number: {shown(text)}", code="INVALID_PHONE")
    return number


def normalise_email(text: str, field: str = "recipientEmail") -> str:
    """Return an e-mail address trimmed, lower-cased and in Unicode's composed form."""
    address = _email(text) if len(text) <= _LONGEST else None
    if address is None:
        raise Refused(f"{field} is not a valid email address: {shown(text)}", code="INVALID_EMAIL")
    return address


def is_region(text: str) -> bool:
    """Tell whether a text is the code of a country or territory that has phone numbers, such as `US`."""
    return text in phonenumbers.SUPPORTED_REGIONS


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _e164(text: str, region: str) -> str | None:
    if _NORTH_AMERICAN.match(text):
        return text
    candidate = text.translate(_INVISIBLE).strip()
    if not _STARTS_LIKE_A_NUMBER.match(candidate):
        return None
    number = _possible(candidate, region)
    if number is None or number == candidate:
        return number
    # A trunk prefix is cut off even behind a country code, so that a few hopeless numbers (+310000000) change each
    # time they are read. Such a one would become two leads; it is refused.
    return number if _possible(number, region) == number else None


def _possible(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    # `is_possible_number` alone would also take a local number without its area code, which cannot be dialled.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=_CACHED_ADDRESSES)
def _email(text: str) -> str | None:
    try:
        # Lower-cased before the check: some capitals become two characters, and the result must be well-formed.
        candidate = normalize("NFC", text.strip().lower())
        checked = validate_email(candidate, check_deliverability=False, test_environment=True)  # allows `.test`
    except EmailNotValidError:
        return None
    has_host_only = "." not in checked.domain
    return None if has_host_only else normalize("NFC", checked.normalized.lower())
