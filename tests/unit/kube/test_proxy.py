"""The proxy of the environment for a server."""

import pytest

from atmpl.kube.auth import CredentialsError
from atmpl.kube.auth.proxy import check_proxy, proxy_for

P = "http://proxy.test:3128"
NAMED: dict[str, tuple[str, dict[str, str], str | None]] = {  # server, environment, proxy
    "nothing": ("https://a.test", {}, None),
    "HTTPS_PROXY": ("https://a.test", {"HTTPS_PROXY": P}, P),
    "in lower case": ("https://a.test", {"https_proxy": P}, P),
    "both": ("https://a.test", {"https_proxy": "http://other", "HTTPS_PROXY": P}, P),
    "empty": ("https://a.test", {"HTTPS_PROXY": "", "https_proxy": ""}, None),
    "without a scheme": ("https://a.test", {"HTTPS_PROXY": "proxy.test:3128"}, P),
    "with a user": ("https://a.test", {"HTTPS_PROXY": "http://u:p@proxy.test"}, "http://u:p@proxy.test"),
    "of the other scheme": ("https://a.test", {"HTTP_PROXY": P}, None),
    "of plain http": ("http://a.test", {"HTTP_PROXY": P}, P),
    "localhost is excluded": ("https://localhost:6443", {"HTTPS_PROXY": P}, None),
    "the loopback is excluded": ("https://127.0.0.2:6443", {"HTTPS_PROXY": P}, None),
    "the loopback of IPv6 is excluded": ("https://[::1]:6443", {"HTTPS_PROXY": P}, None),
    "all are excluded": ("https://a.test", {"HTTPS_PROXY": P, "NO_PROXY": "b.test, *"}, None),
    "a host is excluded": ("https://a.test", {"HTTPS_PROXY": P, "NO_PROXY": "a.test"}, None),
    "a host in capitals": ("https://a.test", {"HTTPS_PROXY": P, "no_proxy": "A.Test"}, None),
    "what is below a host": ("https://api.a.test", {"HTTPS_PROXY": P, "NO_PROXY": "a.test"}, None),
    "what only ends alike": ("https://ba.test", {"HTTPS_PROXY": P, "NO_PROXY": "a.test"}, P),
    "what is below a domain": ("https://api.a.test", {"HTTPS_PROXY": P, "NO_PROXY": ".a.test"}, None),
    "the same with a star": ("https://api.a.test", {"HTTPS_PROXY": P, "NO_PROXY": "*.a.test"}, None),
    "but not the domain itself": ("https://a.test", {"HTTPS_PROXY": P, "NO_PROXY": ".a.test"}, P),
    "an address": ("https://10.1.2.3", {"HTTPS_PROXY": P, "NO_PROXY": "10.1.2.3"}, None),
    "another address": ("https://10.1.2.33", {"HTTPS_PROXY": P, "NO_PROXY": "10.1.2.3"}, P),
    "a CIDR, as OpenShift has it": ("https://172.30.0.1:443", {"HTTPS_PROXY": P, "NO_PROXY": ".svc,172.30.0.0/16"}, None),
    "another CIDR": ("https://172.31.0.1:443", {"HTTPS_PROXY": P, "NO_PROXY": "172.30.0.0/16"}, P),
    "a CIDR of IPv6": ("https://[fd00::1]:443", {"HTTPS_PROXY": P, "NO_PROXY": "fd00::/8"}, None),
    "an address of IPv6": ("https://[fd00::1]:443", {"HTTPS_PROXY": P, "NO_PROXY": "fd00::1"}, None),
    "an invalid CIDR": ("https://10.1.2.3", {"HTTPS_PROXY": P, "NO_PROXY": "10.1.2.3/99,/,a/b"}, P),
    "its port": ("https://a.test:6443", {"HTTPS_PROXY": P, "NO_PROXY": "a.test:6443"}, None),
    "the usual port": ("https://a.test", {"HTTPS_PROXY": P, "NO_PROXY": "a.test:443"}, None),
    "another port": ("https://a.test:6443", {"HTTPS_PROXY": P, "NO_PROXY": "a.test:443"}, P),
    "the port of an address of IPv6": ("https://[fd00::1]:443", {"HTTPS_PROXY": P, "NO_PROXY": "[fd00::1]:443"}, None),
}  # fmt: skip


@pytest.mark.parametrize(("server", "environment", "proxy"), NAMED.values(), ids=NAMED)
def test_proxy_is_chosen_as_by_go_clients(server: str, environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(server, environment) == proxy


@pytest.mark.parametrize(
    "proxy", ["socks5://u:hunter2@a:1", "http://", "ftp://hunter2", "http://a:hunter2", "http://[a"]
)
def test_invalid_proxy_is_rejected_without_its_password(proxy: str) -> None:
    for refused in (
        lambda: check_proxy(proxy, "its proxy-url"),
        lambda: proxy_for("https://a.test", {"HTTPS_PROXY": proxy}),
    ):
        with pytest.raises(CredentialsError, match="is not the URL of an HTTP proxy") as error:
            refused()
        assert "hunter2" not in str(error.value)
