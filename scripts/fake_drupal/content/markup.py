"""From the small markup of the tutorial files to the HTML that a Drupal body field holds.

Knows headings, paragraphs, lists, fenced code, links, code and emphasis; never passes raw HTML.
"""

import re
from html import escape

FENCE = "```"
_CODE = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_LIST_ITEM = re.compile(r"(?:-|\d+\.) (.*)")
_HEADING = re.compile(r"(#{2,4}) (.*)")


def to_html(text: str) -> str:
    """The HTML of a text; blocks are separated by blank lines."""
    return "\n".join(_block(block) for block in _blocks(text))


def _blocks(text: str) -> list[str]:
    blocks: list[str] = []
    lines: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fenced ^= line.startswith(FENCE)
        if line.strip() or fenced:
            lines.append(line)
        elif lines:
            blocks.append("\n".join(lines))
            lines = []
    return blocks


def _block(block: str) -> str:
    if block.startswith(FENCE):
        first, *code = block.splitlines()
        language = first.removeprefix(FENCE).strip() or "text"
        body = escape("\n".join(code).removesuffix(FENCE).rstrip("\n"), quote=False)
        return f'<pre><code class="language-{language}">{body}\n</code></pre>'
    heading = _HEADING.fullmatch(block)
    if heading:
        level = len(heading[1])
        return f"<h{level}>{_inline(heading[2])}</h{level}>"
    if _LIST_ITEM.match(block):
        return _list(block)
    return f"<p>{_inline(' '.join(block.splitlines()))}</p>"


def _list(block: str) -> str:
    tag = "ul" if block.startswith("-") else "ol"
    items: list[str] = []
    for line in block.splitlines():
        item = _LIST_ITEM.fullmatch(line)
        if item:
            items.append(item[1])
        else:
            items[-1] += " " + line.strip()
    return f"<{tag}>" + "".join(f"<li>{_inline(item)}</li>" for item in items) + f"</{tag}>"


def _inline(text: str) -> str:
    marked = _CODE.sub(r"<code>\1</code>", escape(text, quote=False))
    linked = _LINK.sub(r'<a href="\2">\1</a>', marked)
    return _STRONG.sub(r"<strong>\1</strong>", linked)
