"""Credentials for the API server: kubeconfig, service account, exec plugin, proxy."""
