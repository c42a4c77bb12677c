"""SSH public keys, as a line of authorized_keys has them: sshd(8), RFC 4253 section 6.6."""

import base64
import binascii
import re

_FIELDS = {  # by type, the number of fields in the data, which begin with the type
    "ssh-ed25519": 2,
    "ssh-rsa": 3,
    "ssh-dss": 5,
    "ecdsa-sha2-nistp256": 3,
    "ecdsa-sha2-nistp384": 3,
    "ecdsa-sha2-nistp521": 3,
    "sk-ssh-ed25519@openssh.com": 3,
    "sk-ecdsa-sha2-nistp256@openssh.com": 4,
}
_CERTIFICATE = re.compile(r"(.+)-cert-v01(@openssh\.com)?")  # its data has numbers without a length
_OPTIONS = re.compile(r'(?:"(?:\\.|[^"\\])*"|[^\s"])+[ \t]+')
_KEY = re.compile(r"(?<![\w@.-])(?:ssh|ecdsa|sk)-[\w.@-]+[ \t]+AAAA[0-9A-Za-z+/]*={0,3}")


def is_public_key(text: str) -> bool:
    """Return True if `text` is one line with a complete public key, and perhaps options before and a comment after."""
    text = text.strip()
    if len(text.splitlines()) != 1:
        return False
    options = _OPTIONS.match(text)
    return _begins_with_key(text) or bool(options and _begins_with_key(text[options.end() :]))


def count_keys(text: str) -> int:
    """Return how many parts of `text` look like a public key, complete or not."""
    return len(_KEY.findall(text))


def _begins_with_key(text: str) -> bool:
    kind, *rest = text.split(None, 2)
    if not rest:
        return False
    try:
        data = base64.b64decode(rest[0], validate=True)
    except (binascii.Error, ValueError):
        return False
    if certificate := _CERTIFICATE.fullmatch(kind):
        of_type = certificate[1] + (certificate[2] if certificate[1].startswith("sk-") else "")
        return of_type in _FIELDS and _fields(data)[:1] == [kind.encode()]
    fields = _fields(data)
    is_complete = len(fields) == _FIELDS.get(kind) and sum(4 + len(each) for each in fields) == len(data)
    return is_complete and fields[0] == kind.encode()


def _fields(data: bytes) -> list[bytes]:
    """Return the strings of `data`, each with its length in four bytes before it, up to the first incomplete one."""
    fields = []
    position = 0
    while position + 4 <= len(data):
        end = position + 4 + int.from_bytes(data[position : position + 4])
        if end > len(data):
            break
        fields.append(data[position + 4 : end])
        position = end
    return fields
