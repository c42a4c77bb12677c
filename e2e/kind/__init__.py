"""The image of atmpl with KubeVirt in a kind cluster: `just kind`.

__main__.py makes the cluster; test_kind.py is what must hold wherever KubeVirt is served and a controller runs:
`just test-kind`, with ATMPL_E2E_CONTEXT.
"""
