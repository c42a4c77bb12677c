"""A template's size is what the cluster's store takes it for."""

import orjson
import pytest

from atmpl.template.stored_size import stored_size

SIZES = {  # what stands in a string: the bytes that Go stores for it
    "plain text takes its bytes": ("abc", 3),
    "beyond ASCII takes its UTF-8": ("\u00e4\u20ac", 5),
    "less takes six": ("<", 6),
    "greater takes six": (">", 6),
    "and takes six": ("a&&b", 14),
    "a line separator takes six": ("\u2028", 6),
    "a paragraph separator takes six": ("\u2029", 6),
    "their neighbours take their UTF-8": ("\u2027\u202a", 6),
}


@pytest.mark.parametrize("sentence", SIZES)
def test_a_size_is_that_of_go_s_json(sentence):
    text, size = SIZES[sentence]
    assert stored_size(orjson.dumps(text)) == size + 2
