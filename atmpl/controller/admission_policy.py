"""The admission policy that this version ships, as the controller must find it. Design section 5.

For people, and for kubectl, the same stands in config/policy, with the reasons; a test holds the two together.
`SPEC` is complete: it is what the API server gives back, defaults included. A list's order counts.
"""

from typing import Any

NAME = "atmpl-request-access"  # of the ValidatingAdmissionPolicy and of its binding

SPEC: dict[str, Any] = {
    "failurePolicy": "Fail",
    "matchConstraints": {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [
            {
                "apiGroups": ["ssp.kubevirt.io"],
                "apiVersions": ["*"],
                "operations": ["CREATE"],
                "resources": ["virtualmachinetemplaterequests"],
                "scope": "*",
            }
        ],
    },
    "variables": [
        {
            "name": "vmName",
            "expression": "has(object.spec.source) ? object.spec.source.vmName : object.spec.vmName",
        },
        {
            "name": "vmNamespace",
            "expression": "has(object.spec.source) && has(object.spec.source.vmNamespace)"
            " ? object.spec.source.vmNamespace : request.namespace",
        },
        {
            "name": "native",
            "expression": "has(object.spec.target) ? has(object.spec.target.virtualMachineTemplate)"
            " : has(object.spec.format) && object.spec.format == 'template.kubevirt.io/v1beta1'",
        },
        {
            "name": "targetGroup",
            "expression": "variables.native ? 'template.kubevirt.io' : 'template.openshift.io'",
        },
        {
            "name": "targetResource",
            "expression": "variables.native ? 'virtualmachinetemplates' : 'templates'",
        },
    ],
    "validations": [
        {
            "expression": "authorizer.group('kubevirt.io').resource('virtualmachines')"
            " .namespace(variables.vmNamespace).name(variables.vmName).check('get').allowed()",
            "messageExpression": "'you may not get the virtual machine ' + variables.vmName"
            " + ' in namespace ' + variables.vmNamespace"
            " + ', and a template shows all of it: ask for a role in that namespace with the verb get on"
            " virtualmachines.kubevirt.io, such as kubevirt.io:view (to see whether you have it:"
            " kubectl auth can-i get virtualmachines.kubevirt.io/' + variables.vmName"
            " + ' -n ' + variables.vmNamespace + ')'",
            "reason": "Forbidden",
        },
        {
            "expression": "authorizer.group(variables.targetGroup).resource(variables.targetResource)"
            " .namespace(request.namespace).check('create').allowed()",
            "messageExpression": "'you may not create ' + variables.targetResource + '.' + variables.targetGroup"
            " + ' in namespace ' + request.namespace"
            " + ', and this request makes one: ask for a role in that namespace with the verb create on it"
            " (to see whether you have it: kubectl auth can-i create ' + variables.targetResource"
            " + '.' + variables.targetGroup + ' -n ' + request.namespace + ')'",
            "reason": "Forbidden",
        },
    ],
}
