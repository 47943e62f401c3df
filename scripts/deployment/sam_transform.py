"""Runs with the SAM CLI's Python: prints the template as CloudFormation sees it, as JSON.

    python sam_transform.py TEMPLATE

The transform is AWS's own code. It must not need AWS: no managed policy is looked up by name.
"""

import json
import sys
from pathlib import Path
from typing import Any

from samcli.yamlhelper import (  # type: ignore[import-not-found] # only in the SAM CLI's environment
    yaml_parse,
)
from samtranslator.translator.transform import (  # type: ignore[import-not-found] # as above
    transform,
)

# Where `sam deploy` uploads the artifact to; no upload is needed to see the rest.
UPLOADED = {"Bucket": "uploaded", "Key": "artifact"}


class NoManagedPolicies:
    """Stands in for a look-up in the account."""

    def load(self) -> dict[str, str]:
        """No policy has a name here."""
        return {}


def main() -> None:
    """Transform the template."""
    template: dict[str, Any] = yaml_parse(Path(sys.argv[1]).read_text(encoding="utf-8"))
    template["Globals"]["Function"]["CodeUri"] = UPLOADED
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = UPLOADED
    print(json.dumps(transform(template, {}, NoManagedPolicies()), indent=1))


if __name__ == "__main__":
    main()
