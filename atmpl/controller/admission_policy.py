"""The released versions of the admission policy, as the API server returns them. config/README.md: Security.

config/policy has the same specs for kubectl, with comments; a test compares the two. A released version is never
edited: a change gets the next version under another name, because requests are checked against the version that was in
force when they were created. The specs are complete, with all defaults of the API server. The order of lists matters.
"""

from typing import Any, Final

V1: Final = "atmpl-request-access-v1"  # name of the ValidatingAdmissionPolicy and of its binding

_V1_SPEC: dict[str, Any] = {
    "failurePolicy": "Fail",
    "matchConstraints": {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [
            {
                "apiGroups": ["ssp.kubevirt.io"],
                "apiVersions": ["v1alpha1"],
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
            "expression": "has(object.spec.source) && has(object.spec.source.vmNamespace) ?"
            " object.spec.source.vmNamespace : request.namespace",
        },
        {
            "name": "native",
            "expression": "has(object.spec.target) ? has(object.spec.target.virtualMachineTemplate) :"
            " has(object.spec.format) && object.spec.format == 'template.kubevirt.io/v1beta1'",
        },
        {
            "name": "targetGroup",
            "expression": "variables.native ? 'template.kubevirt.io' : 'template.openshift.io'",
        },
        {
            "name": "targetResource",
            "expression": "variables.native ? 'virtualmachinetemplates' : 'templates'",
        },
        {
            "name": "onChange",
            "expression": "has(object.spec.refreshPolicy) && object.spec.refreshPolicy == 'OnChange'",
        },
    ],
    "validations": [
        {
            "expression": "authorizer.group('kubevirt.io').resource('virtualmachines')"
            " .namespace(variables.vmNamespace).name(variables.vmName).check('get').allowed()",
            "messageExpression": "'you may not get the virtual machine ' + variables.vmName + ' in namespace ' +"
            " variables.vmNamespace + ', and the template shows its whole spec: ask for a role in"
            " that namespace with the verb get on virtualmachines.kubevirt.io, such as"
            " kubevirt.io:view (to check it: kubectl auth can-i get virtualmachines.kubevirt.io/'"
            " + variables.vmName + ' -n ' + variables.vmNamespace + ')'",
            "reason": "Forbidden",
        },
        {
            "expression": "authorizer.group(variables.targetGroup).resource(variables.targetResource)"
            " .namespace(request.namespace).check('create').allowed()",
            "messageExpression": "'you may not create ' + variables.targetResource + '.' + variables.targetGroup + '"
            " in namespace ' + request.namespace + ', and this request creates one: ask for a"
            " role in that namespace with the verb create on it (to check it: kubectl auth can-i"
            " create ' + variables.targetResource + '.' + variables.targetGroup + ' -n ' +"
            " request.namespace + ')'",
            "reason": "Forbidden",
        },
        {
            "expression": "!variables.onChange ||"
            " authorizer.group(variables.targetGroup).resource(variables.targetResource)"
            " .namespace(request.namespace).check('patch').allowed()",
            "messageExpression": "'you may not patch ' + variables.targetResource + '.' + variables.targetGroup + ' in"
            " namespace ' + request.namespace + ', and a request with refreshPolicy OnChange"
            " patches one: ask for a role in that namespace with the verb patch on it, or write"
            " refreshPolicy: Once (to check it: kubectl auth can-i patch ' +"
            " variables.targetResource + '.' + variables.targetGroup + ' -n ' + request.namespace"
            " + ')'",
            "reason": "Forbidden",
        },
        {
            "expression": "!has(object.spec.requester) || ( object.spec.requester.username =="
            " request.userInfo.username && (has(object.spec.requester.uid) ?"
            " object.spec.requester.uid : '') == (has(request.userInfo.uid) ?"
            " request.userInfo.uid : '') && dyn(has(object.spec.requester.groups) ?"
            " object.spec.requester.groups : []) == dyn(has(request.userInfo.groups) ?"
            " request.userInfo.groups : []) && dyn(has(object.spec.requester.extra) ?"
            " object.spec.requester.extra : {}) == dyn(has(request.userInfo.extra) ?"
            " request.userInfo.extra : {}))",
            "message": "spec.requester is not the user who creates the request: remove spec.requester",
            "reason": "Forbidden",
        },
    ],
}

SPECS: Final[dict[str, dict[str, Any]]] = {V1: _V1_SPEC}
