"""How relevant an item is to some keywords: weighted counts of word beginnings.

Good enough for sensible orders; never meant to equal Solr.
"""

import math
import re
from collections import Counter
from functools import lru_cache

from scripts.fake_drupal.content.catalogue import ContentItem

_WORD = re.compile(r"[a-z0-9_]+")
_STOP_WORDS = frozenset(
    {"a", "an", "and", "are", "as", "do", "for", "how", "i", "in", "is", "it", "of", "on", "or"}
    | {"the", "to", "what", "with", "drupal"}
)
TITLE_WEIGHT, SUMMARY_WEIGHT, CATEGORY_WEIGHT, BODY_WEIGHT = 8.0, 3.0, 2.0, 1.0
STEM_LETTERS_MIN = 4
BODY_SCORE_MAX = 5.0
TEXTS_KEPT_MAX = 1_000


def keywords_of(text: str) -> tuple[str, ...]:
    """The words to look for; stop words only when there is nothing else."""
    words = tuple(dict.fromkeys(_WORD.findall(text.lower())))
    return tuple(word for word in words if word not in _STOP_WORDS) or words


def score(item: ContentItem, keywords: tuple[str, ...]) -> float:
    """0 when no keyword occurs; items with more of the keywords come first."""
    found = [_word_score(item, keyword) for keyword in keywords]
    hits = sum(1 for value in found if value > 0)
    if not hits:
        return 0.0
    return round(sum(found) * hits / len(keywords), 4)


def _word_score(item: ContentItem, keyword: str) -> float:
    body = _count(item.plain, keyword)
    return (
        TITLE_WEIGHT * min(_count(item.title, keyword), 2)
        + SUMMARY_WEIGHT * min(_count(item.summary, keyword), 2)
        + CATEGORY_WEIGHT * min(_count(item.category, keyword), 1)
        + BODY_WEIGHT * min(math.log2(1 + body), BODY_SCORE_MAX)
    )


def _count(text: str, keyword: str) -> int:
    return _stems(text)[_stem(keyword)]


@lru_cache(maxsize=TEXTS_KEPT_MAX)
def _stems(text: str) -> Counter[str]:
    return Counter(_stem(word) for word in _WORD.findall(text.lower()))


def _stem(word: str) -> str:
    for ending in ("ies", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= STEM_LETTERS_MIN - 1:
            word = word.removesuffix(ending) + ("y" if ending == "ies" else "")
            break
    return word.removesuffix("e") if len(word) >= STEM_LETTERS_MIN else word
