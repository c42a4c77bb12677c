"""A VM becomes a template, and back: the design's section 2. Pure: no await, no clock, no environment, no logging.

Where each rule of section 2 stands:

====  =======================================  ==============================================================
rule  what                                     where
====  =======================================  ==============================================================
1     leaves, and `name`, which is none        `leaves.part`
2     names                                    `names`: its tables, `natural` for one path, `assign` for one VM
3     references by JSON type                  `references.form`; what the console needs of it: `console.protect`
4     literal `${X}`                           `references.holds_reference`, `literals.Literals`
5     the VM's name                            `render`: `_Writer.vm`
6     LABELS                                   each format's `LABELS` and `assemble`; `provenance.label_value`
7     dataVolumeTemplates                      `data_volumes`, `leaves.is_reference`
8     identity                                 `rules.IDENTITY`, `rules.REVISIONS`
9     secrets                                  `rules.SECRETS`
10    dropped metadata                         `rules.DROPPED_ANNOTATIONS`, `rules.DROPPED_LABELS`, `source`
11    everything else stays                    `render`: `_Writer._copy`, with `literals.Literals.copy`
12    on the template itself                   `provenance`, `rules.COPIED_LABELS`, `rules.COPIED_ANNOTATIONS`
====  =======================================  ==============================================================

The order of parameters is `formats.format.Draft.all_parameters`; the proof is `proof.prove`; the limits of input are
`limits`; the warnings are `warnings`. `render.render` puts the rules to work, in the design's order.

A format is one module in `formats` and one line in its registry: `assemble` puts a template together, `process` is what
a cluster makes of one (`process` has what the processors share, `parameters`, `generators` and `gojson` their parts).
"""

from atmpl.template.errors import ProcessError, RenderError
from atmpl.template.formats import FORMATS, Format
from atmpl.template.options import RenderOptions, TemplateOwner
from atmpl.template.render import Render, render
from atmpl.template.render_warnings import RenderWarning

__all__ = [
    "FORMATS",
    "Format",
    "ProcessError",
    "Render",
    "RenderError",
    "RenderOptions",
    "RenderWarning",
    "TemplateOwner",
    "render",
]
