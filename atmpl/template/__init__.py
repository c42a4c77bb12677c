"""Render a template from a VM, and process it: the rules of a template in atmpl/README.md.

This package is pure: no await, no clock, no environment and no logging. The modules of each rule:

====  ==========================================  ===========================================================
rule  subject                                     module
====  ==========================================  ===========================================================
1     leaves and their selection                  `leaves.LeafWalker`, `selection`, `path_patterns`
2     names                                       `parameter_names` (tables, `base_name`), `leaf_names.LeafNames`
3     references by JSON type                     `references.encode_value`, `console_escape.escape_for_console`
4     literal `${X}`                              `references.holds_reference`, `literal_parameters.Literals`
5     the name of the VM                          `builder.TemplateBuilder.vm`, `builder.name_prefix`
6     LABELS                                      each format's `LABELS` and `assemble`; `template_metadata.label_value`
7     dataVolumeTemplates                         `data_volumes`, `builder.prune_data_volume`
8     identity                                    `rules.IDENTITY`, `rules.IDENTITY_ANNOTATIONS`, `addresses`
9     secrets                                     `rules.SECRETS`, `cloud_config`, `text_secrets`
10    dropped metadata                            `rules.DROPPED_LABELS`, `rules.TRACKING_METADATA`, `omissions`
11    everything else stays                       `literal_parameters.Literals.copy`
12    the template's own metadata                 `template_metadata`, `rules.COPIED_LABELS`
====  ==========================================  ===========================================================

`render.render` validates a VM (`validation`, `source_vm`), builds the templated VM and its parameters (`builder`), and
verifies the result (`round_trip`). `render_warnings` has the warnings.

A format is one module in `formats` and one line in its registry: `assemble` puts a template together, `process` returns
the objects that a cluster makes of it. `substitution`, `parameters`, `generators` and `go_json` are the parts that the
processors share.
"""

from atmpl.template.errors import ProcessError, RenderError, TemplateTooLargeError
from atmpl.template.formats import FORMATS, Format
from atmpl.template.omissions import Omitted
from atmpl.template.options import RenderOptions, TemplateMetadata, TemplateOwner
from atmpl.template.path_patterns import pattern_error
from atmpl.template.render import RenderedTemplate, render
from atmpl.template.render_warnings import RenderWarning

__all__ = [
    "FORMATS",
    "Format",
    "Omitted",
    "ProcessError",
    "RenderError",
    "RenderOptions",
    "RenderWarning",
    "RenderedTemplate",
    "TemplateMetadata",
    "TemplateOwner",
    "TemplateTooLargeError",
    "pattern_error",
    "render",
]
