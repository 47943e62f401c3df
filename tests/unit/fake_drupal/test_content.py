import pytest

from scripts.fake_drupal.content.catalogue import load_catalogue
from scripts.fake_drupal.content.markup import to_html
from scripts.fake_drupal.content.ranking import keywords_of, score


def test_the_catalogue_is_large_and_varied() -> None:
    items = list(load_catalogue().values())

    assert len(items) >= 40
    assert {item.bundle for item in items} == {"tutorial", "topic", "course", "guide", "video"}
    assert {version for item in items for version in item.drupal_versions} == {"9", "10", "11"}
    assert any(item.member_only for item in items)
    assert any(not item.member_only for item in items)
    languages = ("php", "yaml", "twig", "bash")
    for language in languages:
        assert any(f'class="language-{language}"' in item.html for item in items)


def test_every_link_inside_the_library_leads_to_an_item() -> None:
    items = load_catalogue().values()
    paths = {item.path for item in items}
    linked = {part.split('"', 1)[0] for item in items for part in item.html.split('<a href="')[1:]}

    assert {path for path in linked if path.startswith("/")} <= paths


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        ("One\ntwo.", "<p>One two.</p>"),
        ("## Title `x`", "<h2>Title <code>x</code></h2>"),
        ("- a\n  b\n- c", "<ul><li>a b</li><li>c</li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("[a](/b) **c** <d>", '<p><a href="/b">a</a> <strong>c</strong> &lt;d&gt;</p>'),
        ("```php\n$a < 1;\n\n$b;\n```", '<pre><code class="language-php">$a &lt; 1;\n\n$b;\n'),
    ],
)
def test_markup_becomes_html(markup: str, html: str) -> None:
    assert to_html(markup).startswith(html)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("render arrays", "Understand Render Arrays"),
        ("how to cache", "Caching for Module Authors"),
        ("migrate from Drupal 7", "Bring a Drupal 7 Site to Drupal 10"),
        ("block plugin", "Write a Block Plugin"),
        ("solr search", "Site Search with Search API and Solr"),
        ("twig template", "Twig Templates in Drupal"),
    ],
)
def test_the_obvious_item_is_ranked_first(query: str, title: str) -> None:
    keywords = keywords_of(query)
    items = [item for item in load_catalogue().values() if item.bundle != "video"]

    assert max(items, key=lambda item: score(item, keywords)).title == title


def test_an_item_without_any_keyword_scores_nothing() -> None:
    items = load_catalogue().values()

    assert {score(item, ("xylophone",)) for item in items} == {0.0}
