"""Secrets of every shape the house handles; none may ever be seen in what leaves it."""

import base64

from shared.domain.tokens import TokenKind, mint

TOKENS = {kind.name.lower(): str(mint(kind)) for kind in TokenKind}
JWT = ".".join(
    base64.urlsafe_b64encode(part).rstrip(b"=").decode()
    for part in (b'{"alg":"RS256","typ":"JWT"}', b'{"sub":"7","canary":"yes"}', b"signature-canary")
)
UPSTREAM = "def50200" + "c0ffee1234567890abcdef" * 12
OPAQUE = "Xq7-opaque~Canary.Value_42"

ALONE = {**TOKENS, "jwt": JWT, "upstream": UPSTREAM}

IN_CONTEXT = {
    "authorization header": f"Authorization: Bearer {OPAQUE}",
    "basic credentials": f"authorization: Basic {OPAQUE}",
    "header in a dict's text": f"{{'authorization': 'Bearer {OPAQUE}', 'accept': '*/*'}}",
    "header in JSON text": f'{{"Authorization": "Bearer {OPAQUE}"}}',
    "header of an ASGI scope": f"[(b'authorization', b'{OPAQUE}'), (b'host', b'x')]",
    "code in a URL": f"https://a.example/cb?code={OPAQUE}&iss=x",
    "state in a URL": f"GET /oauth/callback?iss=x&state={OPAQUE} HTTP/1.1",
    "refresh token in a form": f"grant_type=refresh_token&refresh_token={OPAQUE}",
    "client secret in a form": f"client_secret={OPAQUE}&client_id=a",
    "verifier in a form": f"code_verifier={OPAQUE}",
    "code in a nested URL": f"/login?destination=%2Fcb%3Fcode%3D{OPAQUE}%26iss%3Dx",
    "token in JSON text": f'{{"access_token": "{OPAQUE}", "expires_in": 300}}',
    "token in escaped JSON": f'"{{\\"refresh_token\\": \\"{OPAQUE}\\"}}"',
    "cookie header": f"Cookie: __Host-sign-in={OPAQUE}; theme=dark",
    "set-cookie header": f"set-cookie: x={OPAQUE}; Path=/; Secure",
    "host cookie alone": f"__Host-browser={OPAQUE}; Path=/",
    "Drupal session cookie": f"SSESS0123456789abcdef={OPAQUE}",
    "password in a conninfo": f"host=db password={OPAQUE} dbname=x",
    "password in a URL": f"postgresql://app:{OPAQUE}@db/x",
}

ALL = {
    **{name: (text, text) for name, text in ALONE.items()},
    **{name: (text, OPAQUE) for name, text in IN_CONTEXT.items()},
}
"""name -> (text in which the secret stands, the secret)"""
