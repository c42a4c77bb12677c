"""OpenShift's Template."""

from atmpl.template.formats.format import Format

FORMAT = Format(
    name="openshift",
    target="openshiftTemplate",
    api_version="template.openshift.io/v1",
    kind="Template",
    plural="templates",
    content=("objects", "parameters", "labels", "message"),
)
