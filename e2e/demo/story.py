"""What the demo does: each step a sentence, and the command that a person would type for it in this checkout."""

import re
from typing import NamedTuple


class Step(NamedTuple):
    """A step of the demo; the command is bash's."""

    says: str
    command: str  # of one or several lines; one that goes on with the line before it is indented


def typed(command: str) -> str:
    """Return a command as a terminal shows it: `$` before each line that begins something new."""
    return re.sub(r"^(?=\S)", "$ ", command, flags=re.MULTILINE)


# Asked for before anybody is there to answer: nothing is lost by that.
BEFORE_THE_CONTROLLER = (
    Step("An admission policy judges who may ask for what.", "kubectl apply -k config/policy"),
    Step(
        "There is a virtual machine, and somebody asks for a template of it.",
        "kubectl apply -f e2e/demo/vm.yaml -f e2e/demo/request.yaml",
    ),
    Step("This is all that they had to write:", "cat e2e/demo/request.yaml"),
)

WITH_THE_CONTROLLER = (
    Step(
        "The request is ready when its template is there.",
        r"""kubectl wait --for=condition=Ready \
    vmtreq/virtualmachinetemplaterequest-sample""",
    ),
    Step("What has become of it, in a row:", "kubectl get vmtreq"),
    Step(
        "The template: what was particular to the machine is a parameter now.",
        "kubectl get template vmi-ephemeral-template -o yaml",
    ),
    Step(
        "A virtual machine of that template, with more memory than the first one:",
        r"""kubectl get template vmi-ephemeral-template -o yaml \
    | atmpl process - -p REQUESTS_MEMORY=256Mi""",
    ),
    Step(
        "The same, created on the server, which makes up the rest of its name.",
        r"""kubectl get template vmi-ephemeral-template -o yaml \
    | atmpl process - -p REQUESTS_MEMORY=256Mi \
    | kubectl create -f -""",
    ),
    Step(
        "So there are two now:",
        r"""M=.spec.template.spec.domain.resources.requests.memory
kubectl get vm -o custom-columns=NAME:.metadata.name,MEMORY:$M""",
    ),
    Step(
        "A template can be kept in step with its machine: refreshPolicy OnChange.",
        "kubectl apply -f e2e/demo/request-onchange.yaml",
    ),
    Step("It is soon there too.", "kubectl wait --for=condition=Ready vmtreq/follow-vmi-ephemeral"),
    Step(
        "Its default is the virtual machine's memory.",
        r"""kubectl get template follow-vmi-ephemeral -o \
    jsonpath='{.parameters[?(@.name=="REQUESTS_MEMORY")].value}{"\n"}'""",
    ),
    Step(
        "Now somebody edits the virtual machine,",
        r"""kubectl patch vm vmi-ephemeral --type=merge -p '
    {"spec": {"template": {"spec": {"domain": {"resources":
        {"requests": {"memory": "512Mi"}}}}}}}'""",
    ),
    Step(
        "and the template follows.",
        r"""P='{.parameters[?(@.name=="REQUESTS_MEMORY")].value}'
kubectl wait template/follow-vmi-ephemeral --for=jsonpath="$P"=512Mi""",
    ),
    Step(
        "The first was asked for once and stays. The second shows the new default.",
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
