"""Make a template from a VM on a real API server, step by step: `python -m e2e.demo`."""
