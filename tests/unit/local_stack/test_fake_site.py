from pathlib import Path

import pytest

from scripts.fake_drupal.__main__ import parse_arguments
from scripts.local_stack.addresses import choose
from scripts.local_stack.data_folder import DataFolder
from scripts.local_stack.fake_site import arguments
from scripts.local_stack.options import FakeSite


@pytest.mark.parametrize("secret", ["-begins-with-a-dash", "--port=1", "holds = and spaces", ""])
async def test_the_fake_site_reads_the_very_secret_that_the_stack_made(
    tmp_path: Path, secret: str
) -> None:
    with DataFolder(tmp_path) as folder:
        addresses = await choose(folder, fixed=False, front="urls")

        read = parse_arguments(arguments(FakeSite("6"), addresses, folder, secret))

    assert read.client_secret == secret
    assert read.port == addresses.drupal_port
