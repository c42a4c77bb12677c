"""Programs a developer runs: a real control plane, the demo, the bench."""
