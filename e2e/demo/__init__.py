"""A virtual machine becomes a template on a real API server, step by step: `python -m e2e.demo`."""
