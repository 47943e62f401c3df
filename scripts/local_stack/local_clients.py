"""The client that the local stack knows from its settings, for the demo and for tests.

It must never hold a secret: everybody can read this file.
"""

import json
from typing import Final

LOCAL_CLIENT_ID: Final = "local-demo"
LOCAL_REDIRECT_URI: Final = "http://127.0.0.1:33418/callback"
LOCAL_CLIENTS: Final = json.dumps(
    [
        {
            "client_id": LOCAL_CLIENT_ID,
            "client_name": "Demo of the local stack",
            "redirect_uris": [LOCAL_REDIRECT_URI],
        }
    ]
)
