"""A very long text, put together from parts: what a reader meets when an item must be cut up.

Deterministic; never random, so that two reads of the same part agree.
"""

AREAS = (
    ("routing", "routes", "mymodule.routing.yml", "route match"),
    ("services", "service definitions", "mymodule.services.yml", "service container"),
    ("configuration", "configuration objects", "mymodule.settings.yml", "config factory"),
    ("entities", "entity types", "mymodule.schema.yml", "entity type manager"),
    ("forms", "form classes", "mymodule.routing.yml", "form builder"),
    ("blocks", "block plugins", "mymodule.libraries.yml", "block manager"),
    ("caching", "cache tags", "mymodule.services.yml", "cache tags invalidator"),
    ("translation", "translatable strings", "mymodule.po", "string translation service"),
    ("queues", "queue workers", "mymodule.services.yml", "queue factory"),
    ("migrations", "migration definitions", "mymodule.migrations.yml", "migration plugin manager"),
    ("theming", "templates", "mymodule.theme.yml", "theme registry"),
    ("testing", "test classes", "phpunit.xml.dist", "test runner"),
)

CHECKS = (
    "name the thing after what it does, not after where it is called from",
    "write down which permission guards it before you write the first line of code",
    "decide what may be cached, for how long, and what must make it stale",
    "try it as an anonymous visitor, as an editor and as an administrator",
    "export the configuration and read the difference as a reviewer would",
    "run the coding standards and the static analysis before you ask for a review",
    "leave a note for the next person about the choice you did not make",
    "measure it once with an empty cache and once with a warm one",
    "remove what you tried on the way and no longer need",
    "check the log for notices that you have become used to",
)

ROUNDS = 9


def handbook_text() -> str:
    """More than 100 KB of headings, paragraphs, lists and code, numbered throughout."""
    parts: list[str] = []
    number = 0
    for round_number in range(1, ROUNDS + 1):
        for area in AREAS:
            number += 1
            parts.append(_section(number, round_number, *area))
    return "\n\n".join(parts)


def _section(
    number: int, round_number: int, area: str, things: str, file: str, service: str
) -> str:
    first = CHECKS[(number + round_number) % len(CHECKS)]
    second = CHECKS[(number * 3 + round_number) % len(CHECKS)]
    third = CHECKS[(number * 7 + 2) % len(CHECKS)]
    return f"""## {number}. Working with {area}, pass {round_number}

In pass {round_number} you go over the {things} of your module once more. Open `{file}` and read it
from top to bottom as if somebody else had written it. Anything that you cannot explain in one
sentence deserves either a better name or a comment. The {service} will tell you at run time what
it has found, so compare that with what you expected to be there.

Most trouble with {area} comes from two places that disagree. When you change one of them, search
the module for the other, and let a test say that both still fit. If you find a third place, make
it one: the {service} should be the only part that knows how {things} are put together.

- Before you start, {first}.
- While you work, {second}.
- Before you commit, {third}.

```php
// Step {number}: ask the {service} instead of guessing.
$found = \\Drupal::service('mymodule.{area}_inspector')->inspect({round_number});
assert(count($found) > 0, 'There are {things} to work with.');
```

When step {number} is done, clear the caches with `drush cache:rebuild` and look at the page again.
A change in {area} that needs more than that is a sign of a missing dependency in `{file}`."""
