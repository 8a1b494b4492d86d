"""One address, one text: what is normalised, what is refused, and that normalising twice changes nothing."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthaste.core.addresses import is_email, is_region, normalise_email, normalise_phone
from posthaste.core.errors import Refused
from posthaste.core.names import split_name

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


# ---- phones ----


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+16285550100", "US", "+16285550100"),
        ("+1 (628) 555-0100", "GB", "+16285550100"),
        ("(628) 555-0100", "US", "+16285550100"),
        ("628.555.0100", "US", "+16285550100"),
        ("1 628 555 0100", "US", "+16285550100"),
        (" +1\u00a0628\u2011555\u20110100\n", "US", "+16285550100"),
        ("\u202a+1 628 555 0100\u202c", "US", "+16285550100"),  # as copied out of a contact book
        ("\uff0b\uff11\uff16\uff12\uff18\uff15\uff15\uff15\uff10\uff11\uff10\uff10", "US", "+16285550100"),  # full width
        ("\u0660\u0661\u0660 \u0661\u0662\u0663\u0664 \u0665\u0666\u0667\u0668", "EG", "+201012345678"),  # Arabic digits
        ("tel:+1-628-555-0100", "US", "+16285550100"),
        ("+1 628 555 0100 ext. 5", "US", "+16285550100"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", "US", "+442079460958"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("00 44 20 7946 0958", "DE", "+442079460958"),
        ("06 1234 5678", "IT", "+390612345678"),  # Italy keeps its zero
        ("+919042956129", "US", "+919042956129"),
    ],
)
def test_a_phone_number_is_read(text: str, region: str, number: str) -> None:
    assert normalise_phone(text, region, "recipientPhone") == number


@pytest.mark.parametrize("last_digits", range(0, 100, 7))
def test_the_numbers_of_the_sandbox_are_possible(last_digits: int) -> None:
    number = f"+162855501{last_digits:02d}"
    assert normalise_phone(number, "US") == number


NO_NUMBERS = ["abc", "911", "555-0100", "+1628555010", "+162855501000", "+999 1234567", "++", "+", "0", "1" * 400]
NOT_ONE_NUMBER = ["+1 628 555 0100, +1 628 555 0101", "628 555 0100 or 0101", "6285550100@example.com"]
TEXT_AROUND = ["{{phone}} 6285550100", "call 628 555 0100 now", "Phone: 6285550100", "\0+16285550100", "6.285550100E9"]


@pytest.mark.parametrize("text", ["", " ", "\ud800", *NO_NUMBERS, *NOT_ONE_NUMBER, *TEXT_AROUND])
def test_what_is_no_phone_number_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        normalise_phone(text, "US", "altPhone2")
    assert refusal.value.code == "INVALID_PHONE"
    assert refusal.value.status == 400
    assert refusal.value.message.startswith("altPhone2 is not a possible phone number: ")


def test_a_refusal_shows_the_value_short_and_printable() -> None:
    with pytest.raises(Refused, match=r"recipientPhone is not a possible phone number: '12\\x0034'"):
        normalise_phone("12\x0034", "US")
    with pytest.raises(Refused) as refusal:
        normalise_email("\ud800" * 10_000)
    assert len(refusal.value.message.encode()) < 500


def numbers() -> st.SearchStrategy[str]:
    written = st.text(alphabet="0123456789+-() .x#abcABC", max_size=22)
    return written | st.from_regex(r"\+[1-9][0-9]{5,15}", fullmatch=True) | st.text(max_size=20)


@settings(deadline=None, max_examples=400)
@given(numbers(), st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_a_normalised_number_is_the_same_wherever_it_is_read_again(text: str, region: str, other_region: str) -> None:
    try:
        number = normalise_phone(text, region)
    except Refused:
        return
    assert number[0] == "+"
    assert number[1:].isascii() and number[1:].isdigit() and 4 <= len(number) <= 18
    assert normalise_phone(number, other_region) == number
    assert not is_email(number)


def test_a_number_that_changes_whenever_it_is_read_is_refused() -> None:
    with pytest.raises(Refused):
        normalise_phone("+310000000", "US")


@pytest.mark.parametrize("region", REGIONS)
def test_every_region_reads_its_own_mobile_numbers(region: str) -> None:
    example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if example is None:  # some islands have no mobile numbers of their own
        return
    number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    for style in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
        assert normalise_phone(phonenumbers.format_number(example, style), region) == number


def test_regions_are_codes_of_two_capitals() -> None:
    assert is_region("US") and is_region("IN") and is_region("GB")
    assert not any(is_region(text) for text in ("", "us", "UK", "XX", "USA", "001", "1"))


# ---- e-mail ----


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ann@example.com", "ann@example.com"),
        ("  Ann.Lee+News@Example.COM\n", "ann.lee+news@example.com"),
        ("ann@mail.sandbox.test", "ann@mail.sandbox.test"),
        ("ann@shop.example", "ann@shop.example"),
        ("JOSE\u0301@example.com", "jos\u00e9@example.com"),
        ("ann@xn--mnchen-3ya.de", "ann@m\u00fcnchen.de"),
        ("o'neil@example.com", "o'neil@example.com"),
    ],
)
def test_an_email_address_is_read(text: str, address: str) -> None:
    assert normalise_email(text, "recipientEmail") == address


NO_EMAILS = ["", "@", "ann", "ann@", "@example.com", "ann@@example.com", "ann lee@example.com", "ann@example..com"]
NO_MAIL_HOSTS = ["ann@test", "ann@localhost", "ann@mail.local", "ann@[127.0.0.1]", "ann@exa mple.com", "ann@-a.com"]
MORE_THAN_ADDRESSES = ["Ann <ann@example.com>", "a@example.com,b@example.com", "mailto:ann@example.com?x", '"a b"@example.com']


TOO_LONG = ["a" * 300 + "@example.com", "a@" + "b." * 200 + "com", "a@example.com" + " " * 400]
ODD_SIGNS = ["a\0@example.com", "a\ud800@example.com", "a@example.com\r\nBcc: b@example.com", "+16285550100"]


@pytest.mark.parametrize("text", [*NO_EMAILS, *NO_MAIL_HOSTS, *MORE_THAN_ADDRESSES, *TOO_LONG, *ODD_SIGNS])
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refusal:
        normalise_email(text, "altEmail1")
    assert refusal.value.code == "INVALID_EMAIL"
    assert refusal.value.message.startswith("altEmail1 is not a valid email address: ")


def emails() -> st.SearchStrategy[str]:
    odd = st.builds("{}@{}.com".format, st.text(min_size=1, max_size=10), st.text(min_size=1, max_size=8))
    return st.emails() | odd | st.text(max_size=20)


@settings(deadline=None, max_examples=400)
@given(emails())
def test_a_normalised_email_address_is_not_changed_again(text: str) -> None:
    try:
        address = normalise_email(text)
    except Refused:
        return
    assert normalise_email(address) == address == address.lower() == address.strip()
    assert normalise_email(f" {address.upper()} ") == normalise_email(address.upper())
    assert is_email(address)


# ---- both ----


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Ann Lee Smith", ("Ann", "Lee Smith")),
        ("  Ann \t Lee  Smith ", ("Ann", "Lee  Smith")),
        ("Ann\u00a0Lee", ("Ann", "Lee")),
        ("Ann", ("Ann", "")),
        (" ", ("", "")),
        ("", ("", "")),
    ],
)
def test_a_name_is_split_at_its_first_blank(text: str, names: tuple[str, str]) -> None:
    assert split_name(text) == names


@given(st.from_regex(r"\A\+1[2-9][0-9]{9}\Z"), st.sampled_from(["US", "GB", "IN"]))
def test_what_is_not_parsed_would_have_been_parsed_to_itself(text: str, region: str) -> None:
    number = phonenumbers.parse(text, region)
    assert phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text == normalise_phone(text, region)
