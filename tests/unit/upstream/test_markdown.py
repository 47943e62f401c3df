import pytest

from shared.upstream import markdown
from shared.upstream.markdown import absolute_url, is_html, to_markdown, to_text

BASE = "https://drupal.example"


def test_html_becomes_markdown_with_its_code_in_fences() -> None:
    body = (
        '<h2>Routing</h2><p>See <a href="/tutorial/x">this</a>:</p>'
        '<pre><code class="language-php">&lt;?php\n  echo $a_b;\n</code></pre>'
        "<ul><li>one</li><li>two</li></ul>"
    )

    assert to_markdown(body, base_url=BASE) == (
        "## Routing\n\nSee [this](https://drupal.example/tutorial/x):\n\n"
        "```php\n<?php\n  echo $a_b;\n```\n\n- one\n- two"
    )


def test_the_language_may_stand_on_the_pre_itself() -> None:
    assert to_markdown('<pre class="lang-yaml">a: 1</pre>', base_url=BASE) == "```yaml\na: 1\n```"


def test_markdown_stays_as_it_is_even_with_html_in_its_code() -> None:
    body = "# Title\n\nUse `<p>x</p>` or:\n\n```html\n<div>\n<p>text</p>\n</div>\n```\n"

    assert not is_html(body)
    assert to_markdown(body, base_url=BASE) == body.strip()


def test_a_fence_ends_at_one_of_its_kind_that_is_as_long() -> None:
    assert not is_html("````html\n```\n<p>text</p>\n````\n")
    assert not is_html("~~~\n```\n<p>text</p>\n~~~ \n")
    assert is_html("```\ncode\n```\n<p>text</p>\n")
    assert is_html("<pre>\n```\n</pre>\n<p>a fence that never ends is none</p>")


@pytest.mark.parametrize(
    "body",
    ["```a\n" * 400_000, "`" * 2_000_000, "`a" * 500_000, "<img " * 400_000, "<" * 2_000_000],
    ids=["fences", "backticks", "inline", "images", "angles"],
)
def test_no_text_takes_long_to_recognise(body: str) -> None:
    """With time that grew with the square of the size, each of these would take hours."""
    assert not is_html(body)


def test_html_nested_without_end_becomes_plain_text() -> None:
    body = "<ul><li>" * 2_000 + "deep" + "</li></ul>" * 2_000

    assert to_markdown(body, base_url=BASE) == "deep"


def test_html_too_long_to_convert_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "HTML_CHARACTERS_MAX", 30)

    converted = to_markdown("<p>one two three</p>" + "<p>four</p>" * 10, base_url=BASE)

    assert converted.startswith("one two three")
    assert converted.endswith(markdown.CUT_NOTE)


@pytest.mark.parametrize(
    "body",
    [
        "<p>a</p><script>alert('EVIL')</script>",
        "<p>a</p><style>EVIL{}</style>",
        "<p>a</p><iframe src='https://evil.example/EVIL'></iframe>",
        "<p>a</p><!-- EVIL -->",
        "<p>a</p><svg><text>EVIL</text></svg>",
        "<p>a</p><img src='data:image/png;base64,EVIL' alt='EVIL'>",
        "<p>a</p><template><p>EVIL</p></template>",
    ],
)
def test_what_a_reader_would_not_see_is_left_out(body: str) -> None:
    assert to_markdown(body, base_url=BASE) == "a"


def test_a_link_that_is_no_web_address_loses_its_target() -> None:
    assert to_markdown('<p><a href="javascript:x()">go</a></p>', base_url=BASE) == "go"


@pytest.mark.parametrize(
    ("fragment", "text"),
    [
        ("Plain &amp; simple", "Plain & simple"),
        ("<p>One <strong>two</strong></p>\n<p>three</p>", "One two three"),
        ("a < b and c > d", "a < b and c > d"),
        ("", ""),
    ],
)
def test_titles_and_summaries_are_one_line_of_text(fragment: str, text: str) -> None:
    assert to_text(fragment) == text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/tutorial/a", "https://drupal.example/tutorial/a"),
        ("https://other.example/x", "https://other.example/x"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("http://[bad", ""),
    ],
)
def test_only_web_addresses_are_passed_on(url: str, expected: str) -> None:
    assert absolute_url(url, base_url=BASE) == expected
