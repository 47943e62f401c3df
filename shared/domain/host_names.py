"""Names of hosts on the public internet, in the one spelling that is taken (RFC 1123, RFC 5890).

The spelling decides alone: what a name resolves to is asked where something is fetched.
"""

import re
import unicodedata
from typing import Final

HOST_LENGTH_MAX: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# The last label begins with a letter: no address, in any spelling, does (127.1, 0x7f.1, 1.0x7f).
_TOP_LABEL: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_OWN_MACHINE: Final = "localhost"
_PUNYCODE: Final = "xn--"
# Letters without case or in lower case, and the marks that stand with them (RFC 5892).
_LETTERS: Final = frozenset({"Ll", "Lm", "Lo", "Mc", "Mn"})
# Scripts that are written together (Unicode TS 39 section 5.1); Latin with none of them.
_WRITTEN_TOGETHER: Final = (
    frozenset({"HIRAGANA", "KATAKANA", "CJK"}),
    frozenset({"HANGUL", "CJK"}),
    frozenset({"BOPOMOFO", "CJK"}),
)


def is_public_name(host: str) -> bool:
    """Whether ``host`` is a name of two labels or more, in lower case.

    Never an IP address in any spelling, ``localhost``, an empty label or a trailing dot, nor
    Punycode that mixes scripts or stands for what plain letters say as well.
    """
    labels = host.split(".")
    if len(host) > HOST_LENGTH_MAX or len(labels) < 2 or labels[-1] == _OWN_MACHINE:
        return False
    if _TOP_LABEL.fullmatch(labels[-1]) is None:
        return False
    return all(_is_label(label) for label in labels)


def _is_label(label: str) -> bool:
    if _LABEL.fullmatch(label) is None:
        return False
    if label.startswith(_PUNYCODE):
        return _is_honest(label.removeprefix(_PUNYCODE))
    return label[2:4] != "--"  # kept for encodings that do not exist (RFC 5891 section 4.2.3.1)


def _is_honest(punycode: str) -> bool:
    """Whether this is how one word of one script is written, which needs Punycode."""
    try:
        word = punycode.encode("ascii").decode("punycode")
        again = word.encode("punycode").decode("ascii")
    except ValueError:
        return False
    if again != punycode or word.isascii() or unicodedata.normalize("NFKC", word) != word:
        return False
    letters = [character for character in word if character not in "0123456789-"]
    if not all(unicodedata.category(letter) in _LETTERS for letter in letters):
        return False
    scripts = {_script(letter) for letter in letters}
    return len(scripts) == 1 or any(scripts <= together for together in _WRITTEN_TOGETHER)


def _script(letter: str) -> str:
    """The first word of its name, which is the script of every letter that names have."""
    return unicodedata.name(letter, letter).split(" ", 1)[0].split("-", 1)[0]
