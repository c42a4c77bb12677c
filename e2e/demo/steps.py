"""The steps of the demo: a sentence each, and the command as a user types it in this checkout."""

import re
from typing import NamedTuple


class Step(NamedTuple):
    """A step of the demo, with a command for bash."""

    sentence: str
    command: str  # one or several lines; a line that continues the one before it is indented


def with_prompt(command: str) -> str:
    """Return a command as a terminal shows it: `$` before each line that begins a command."""
    return re.sub(r"^(?=\S)", "$ ", command, flags=re.MULTILINE)


# The request exists before the controller starts: it is served then.
BEFORE_THE_CONTROLLER = (
    Step("The admission policy checks who may request a template of which VM.", "kubectl apply -k config/policy"),
    Step(
        "A user creates a VM, and a request for a template of it.",
        "kubectl apply -f e2e/demo/vm.yaml -f e2e/demo/request.yaml",
    ),
    Step(
        "The request, in the short form. README.md shows the same in the long form.",
        "cat e2e/demo/request.yaml",
    ),
)

WITH_THE_CONTROLLER = (
    Step(
        "The request is Ready as soon as its template exists.",
        r"""kubectl wait --for=condition=Ready \
    vmtreq/virtualmachinetemplaterequest-sample""",
    ),
    Step("The request, with its reason:", "kubectl get vmtreq"),
    Step(
        "The template: the values of the VM are parameters, with defaults.",
        "kubectl get template vmi-ephemeral-template -o yaml",
    ),
    Step(
        "A VM from this template, with more memory:",
        r"""kubectl get template vmi-ephemeral-template -o yaml \
    | atmpl process - -p REQUESTS_MEMORY=256Mi""",
    ),
    Step(
        "The same VM, created in the cluster, which completes its name.",
        r"""kubectl get template vmi-ephemeral-template -o yaml \
    | atmpl process - -p REQUESTS_MEMORY=256Mi \
    | kubectl create -f -""",
    ),
    Step(
        "Now two VMs exist:",
        r"""M=.spec.template.spec.domain.resources.requests.memory
kubectl get vm -o custom-columns=NAME:.metadata.name,MEMORY:$M""",
    ),
    Step(
        "A second template is refreshed after each change: refreshPolicy OnChange.",
        "kubectl apply -f e2e/demo/request-onchange.yaml",
    ),
    Step("It is Ready soon, too.", "kubectl wait --for=condition=Ready vmtreq/follow-vmi-ephemeral"),
    Step(
        "Its default is the memory of the VM.",
        r"""kubectl get template follow-vmi-ephemeral -o \
    jsonpath='{.parameters[?(@.name=="REQUESTS_MEMORY")].value}{"\n"}'""",
    ),
    Step(
        "A user changes the memory of the VM.",
        r"""kubectl patch vm vmi-ephemeral --type=merge -p '
    {"spec": {"template": {"spec": {"domain": {"resources":
        {"requests": {"memory": "512Mi"}}}}}}}'""",
    ),
    Step(
        "The template gets the new default.",
        r"""P='{.parameters[?(@.name=="REQUESTS_MEMORY")].value}'
kubectl wait template/follow-vmi-ephemeral --for=jsonpath="$P"=512Mi""",
    ),
    Step(
        "The first template is not refreshed. The second one has the new default.",
        r"""P='.parameters[?(@.name=="REQUESTS_MEMORY")].value'
kubectl get -o custom-columns="NAME:.metadata.name,MEMORY:$P" template""",
    ),
)

LOOK_AROUND = (
    "atmpl create --vm vmi-ephemeral --name small",
    "atmpl diff --template vmi-ephemeral-template",
    "kubectl get vm,vmtreq,template",
    "kubectl explain vmtreq.spec",
    "kubectl edit vm vmi-ephemeral",
)
