"""The site's HTML as Markdown for a model to read.

Never passes on scripts, frames or embedded data; code stays as it was written, in fences.
"""

import html
import re
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

HTML_CHARACTERS_MAX = 500_000
"""Converting takes seconds for more than this, and nothing else can happen meanwhile."""
CUT_NOTE = "*The rest is left out: the text is too long to be shown here.*"

_FENCE = re.compile(r"`{3,}|~{3,}")
_INLINE_CODE = re.compile(r"`[^`\n]+`")
_BLOCK_END = re.compile(
    r"</(?:p|h[1-6]|div|ul|ol|li|pre|table|blockquote|section|article|figure|code|em|strong|a)\s*>"
    r"|<(?:br|img|hr)\b[^<>]*>",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_LANGUAGE = re.compile(r"^(?:language|lang|brush:?)-?([a-z0-9+#_.-]{1,20})$", re.IGNORECASE)
_REMOVED = ("script", "style", "template", "noscript", "iframe", "object", "embed", "form", "svg")
_LINK_ATTRIBUTES = (("a", "href"), ("img", "src"))
_BLANK_LINES = re.compile(r"\n{3,}")


def is_html(text: str) -> bool:
    """Whether a body is HTML: tags that end a block stand outside of code."""
    return _BLOCK_END.search(_INLINE_CODE.sub("", _without_fenced(text))) is not None


def _without_fenced(text: str) -> str:
    """``text`` without its fenced code; by lines, for no text may take long here."""
    outside: list[str] = []
    fenced: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if not fence:
            opening = _FENCE.match(line)
            fence = opening.group() if opening else ""
        elif line.startswith(fence) and not line.rstrip().strip(fence[0]):
            fence = ""
            fenced.clear()
            continue
        (fenced if fence else outside).append(line)
    # A fence that never ends is none.
    return "\n".join(outside + fenced)


def to_markdown(body: str, *, base_url: str) -> str:
    """A body as Markdown; one that is Markdown already is left alone.

    Relative links become absolute ones of ``base_url``. HTML nested too deeply becomes plain text,
    and what is beyond ``HTML_CHARACTERS_MAX`` is left out.
    """
    if not is_html(body):
        return body.strip()
    soup = BeautifulSoup(body[:HTML_CHARACTERS_MAX], "html.parser")
    for element in soup.find_all(_REMOVED):
        element.decompose()
    for name, attribute in _LINK_ATTRIBUTES:
        for element in soup.find_all(name):
            _make_absolute(element, attribute, base_url)
    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", code_language_callback=_language_of, escape_misc=False
    )
    try:
        text = str(converter.convert_soup(soup))
    except RecursionError:
        text = soup.get_text("\n", strip=True)
    text = _BLANK_LINES.sub("\n\n", text).strip()
    return text if len(body) <= HTML_CHARACTERS_MAX else f"{text}\n\n{CUT_NOTE}"


def to_text(fragment: str) -> str:
    """A title or summary as plain text on one line."""
    if _ANY_TAG.search(fragment):
        fragment = BeautifulSoup(fragment, "html.parser").get_text(" ")
    return " ".join(html.unescape(fragment).split())


def absolute_url(url: str, *, base_url: str) -> str:
    """An http(s) address, made absolute; an empty string for anything else."""
    try:
        joined = urljoin(f"{base_url}/", url.strip())
        scheme = urlsplit(joined).scheme
    except ValueError:
        return ""
    return joined if scheme in {"http", "https"} else ""


def _make_absolute(element: Tag, attribute: str, base_url: str) -> None:
    value = element.get(attribute)
    url = absolute_url(value, base_url=base_url) if isinstance(value, str) else ""
    if url:
        element[attribute] = url
    elif element.name == "img":
        element.decompose()
    else:
        element.unwrap()


def _language_of(element: Tag) -> str:
    """The language of a ``pre``, from its class or that of the ``code`` in it."""
    inner = element.find("code")
    for tag in (element, inner):
        classes = tag.get("class") if isinstance(tag, Tag) else None
        for name in classes if isinstance(classes, list) else []:
            match = _LANGUAGE.match(name)
            if match:
                return match.group(1).lower()
    return ""
