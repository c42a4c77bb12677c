"""In-memory stores that a reflector fills: requests, VMs, templates."""
