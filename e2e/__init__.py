"""Programs a developer runs, and what tests share with them. This page is their map; nothing here goes into the wheel.

- `controlplane/` is a real API server on this machine, with which nearly everything here begins; `objects` is what is
  posted to it, `controller` is atmpl beside it as a process of its own, `program` any such process, and `blocking`
  finds what would block its event loop. `fixtures` are the tests' way to whichever cluster they run on.
- `demo/` shows a newcomer what atmpl does: `just demo`. `console_form` shows a template as OpenShift's console would.
- `chaos` kills everything at random, `storm/` does what clusters do to controllers: `just chaos`, `just storm`.
- `bench/` measures throughput, latency, memory and CPU, beside other implementations: `just bench`.
- `image/`, `node/` and `kind/` go from the Dockerfile to a real node to a whole cluster with KubeVirt, each with its
  tests: `just test-image`, `just node`, `just kind`.
- `release` builds the artifacts of a release, from the objects in `manifests`: `bundle` for OLM, `krew` for kubectl.
- `gotools/` checks what is not Python: `just workflows`, `just alerts`, `just packages`.
"""
