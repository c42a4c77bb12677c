"""Tests that share one API server."""

from tests.support.servers import client, controller, namespace, private_server, server, undisturbed

__all__ = ["client", "controller", "namespace", "private_server", "server", "undisturbed"]
