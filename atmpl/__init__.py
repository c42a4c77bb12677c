"""atmpl turns a KubeVirt virtual machine into a template. This page is the map of the package.

Two functions are public, and need nothing of what stands below the first room: `render` makes a template of a VM,
`process` makes of a template what a cluster would. Plain dicts go in and come out; `RenderError` and `ProcessError` are
all that they raise.

The package has five rooms. Each imports only those above it here, and a tool sees to it (import-linter, in the checks):

- `template/` is the design's section 2 and pure: no await, no clock, no environment, no logging. Its docstring says
  where each of the twelve rules stands. A VM is cut into leaves, these get names and references, a format puts the
  template together, and `proof` holds it against the VM before anybody sees it.
- `controller/` is what becomes of a request: sections 1 and 3. `request` reads one, `reconcile` tells its story on one
  screen, `publish` writes the template or says what is in the way, and every end of the story is an `outcome`, of a
  closed set. `status` alone turns outcomes into conditions. It is asynchronous but knows no HTTP: it speaks to a
  `cluster.Cluster`, which is a protocol of a few verbs, and a test's cluster is a dictionary.
- `kube/` is one mechanism of Kubernetes a file, with the clock handed in: how the API server is reached (`access` and
  the ways to it, `connection`), how its streams are followed (`watch`, and the stores `requests`, `vms`, `templates`),
  the `queue` of keys, the `lease` of a leader, `events`. `cluster` implements the controller's protocol with them.
- `manager/` is the process that a pod runs: it wires streams to the queue to workers, drains them within five seconds
  when it is asked to end, and shows itself by probes, metrics and logs.
- `cli/` is what a person types, one module a command, imported only when it is typed: what needs no cluster starts
  without a cluster's side.

One request, as data: a line arrives in `kube/watch` and becomes a key in `kube/queue`; a worker hands the request to
`controller/turn`, which asks `template/` for the template and `kube/` to write it; the outcome that comes back is at
once the request's status, the label of a metric and the queue's next move. Nothing flows backwards.

Four promises hold all of it together. A template gives its VM back, or it is not published. Whose a template is, its
label says, and what is not ours is never written over. A reconcile looks at what is, never at what happened, so it may
be killed anywhere and begun again. And no value of a VM leaves by a log, a metric, an event or a status.

README has the same as a picture, with a table of what to change where, and the way to add a format. What docstrings
call the design is `design/atmpl.md` of the folder that README has under ATMPL_SHARED: section 1 is the request, 2 the
template with its twelve rules, 3 the controller, 4 what people see, 5 who may do what. The code stands without it; each
rule is said again where it is obeyed.
"""

from atmpl.api import process, render
from atmpl.template import ProcessError, Render, RenderError, RenderWarning
from atmpl.version import __version__

__all__ = ["ProcessError", "Render", "RenderError", "RenderWarning", "__version__", "process", "render"]
