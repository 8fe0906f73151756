"""Writes tokens.json beside it: tokens as PyJWT makes them, which is what djangorestframework-jwt and with it
zc_common's jwt_encode_handler calls. Run once with PyJWT 1.7.1 and once with PyJWT 2; each run keeps the others' tokens:

    python3 -m venv v && v/bin/pip install pyjwt==2.15.1 && v/bin/python make.py
"""

import json
import pathlib

import jwt

KEY = "django-insecure-#not(a)secret&$"
OTHER = "another key that is long enough to be taken"
PATH = pathlib.Path(__file__).with_name("tokens.json")


def token(payload, key=KEY, algorithm="HS256", **more):
    made = jwt.encode(payload, key, algorithm, **more)
    return made.decode() if isinstance(made, bytes) else made


def main():
    known = json.loads(PATH.read_text()) if PATH.exists() else {}
    caller = {"roles": ["user", "staff"], "id": "56"}
    known.update(key=KEY)
    known["pyjwt " + jwt.__version__] = {
        "user": token(caller),
        "user_int_id": token({"roles": ["user"], "id": 56}),
        "service": token({"roles": ["service"]}),
        "no_roles": token({"roles": None}),
        "unicode": token({"roles": ["caf\u00e9"], "id": "\u4e2d"}),
        "expires_in_2100": token({**caller, "exp": 4102444800}),
        "expires_in_2100_float": token({**caller, "exp": 4102444800.5}),
        "expired_in_2001": token({**caller, "exp": 1000000000}),
        "not_before_2100": token({**caller, "nbf": 4102444800}),
        "not_before_2001": token({**caller, "nbf": 1000000000}),
        "for_an_audience": token({**caller, "aud": "mails"}),
        "another_key": token(caller, OTHER),
        "none": token(caller, None, "none"),
        "hs384": token(caller, KEY, "HS384"),
        "hs512": token(caller, KEY, "HS512"),
        "critical": token(caller, headers={"crit": ["exp"]}),
    }
    PATH.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


main()
