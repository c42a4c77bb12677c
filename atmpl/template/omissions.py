"""What a template leaves out of its source VM, or blanks in it. Rules 7, 8 and 10, `status.omitted`."""

from typing import Final, NamedTuple

from atmpl.template.json_path import Path, dotted
from atmpl.template.options import RenderOptions
from atmpl.template.rules import (
    DATA_VOLUME_METADATA,
    DROPPED_DATA_VOLUME_ANNOTATIONS,
    MEMORY_DUMP,
    REVISIONS,
    SERVER_METADATA,
    SOURCE_IDENTITY,
    SOURCE_RECORD,
    SOURCE_REVISION,
    SOURCE_TEMPLATE,
    TRACKING,
    drop_reason,
    is_identity_annotation,
    kept_annotations,
    kept_labels,
)
from atmpl.template.source_vm import SourceVM, objects_in, value_at

EXPLANATIONS: Final = {  # reason of `status.omitted`: a sentence for users
    SOURCE_IDENTITY: "it identifies the source VM, and each new VM gets its own",
    SOURCE_REVISION: "it names a ControllerRevision of the source VM",
    SOURCE_RECORD: "it is a record about the source VM",
    SOURCE_TEMPLATE: "it names the template that the source VM was created from",
    TRACKING: "the tool that wrote it would prune, adopt or delete the new VM",
    MEMORY_DUMP: "it is a memory dump of the source VM",
}


class Omitted(NamedTuple):
    """One field of the VM that the template leaves out or blanks."""

    reason: str
    path: str

    @property
    def explanation(self) -> str:
        """Return why the field is omitted, as a part of a sentence."""
        return EXPLANATIONS[self.reason]


def omit(reason: str, path: Path) -> Omitted:
    """Return the Omitted of the field at `path`, from the VM's root."""
    return Omitted(reason, dotted(path))


def metadata_omissions(source: SourceVM, options: RenderOptions) -> list[Omitted]:
    """Return what is omitted of the metadata of the VM, and of its instance type and preference.

    The fields that the API server sets on each object are not listed.
    """
    omitted = [omit(SOURCE_RECORD, ("metadata", key)) for key in source.metadata if key not in SERVER_METADATA]
    labels = kept_labels(source.labels)
    omitted += [omit(drop_reason(key), ("metadata", "labels", key)) for key in source.labels if key not in labels]
    annotations = kept_annotations(source.annotations, fresh=options.identity == "Fresh")
    omitted += [
        omit(drop_reason(key), ("metadata", "annotations", key)) for key in source.annotations if key not in annotations
    ]
    omitted += [
        omit(SOURCE_REVISION, ("spec", *path)) for path in REVISIONS if value_at(source.spec, *path) is not None
    ]
    if options.identity == "Fresh":
        omitted += [
            omit(SOURCE_IDENTITY, ("spec", "template", "metadata", "annotations", key))
            for key in source.template_annotations
            if is_identity_annotation(key)
        ]
    return omitted


def data_volume_omissions(source: SourceVM) -> list[Omitted]:
    """Return what is omitted of the metadata of dataVolumeTemplates. Rule 7."""
    omitted = []
    for index, template in objects_in(source.spec.get("dataVolumeTemplates")):
        path = ("spec", "dataVolumeTemplates", index, "metadata")
        metadata = template.get("metadata")
        if type(metadata) is not dict:
            continue
        omitted += [omit(SOURCE_RECORD, (*path, key)) for key in metadata if key not in DATA_VOLUME_METADATA]
        annotations = metadata.get("annotations")
        if type(annotations) is dict:
            omitted += [
                omit(SOURCE_RECORD, (*path, "annotations", key))
                for key in annotations
                if key in DROPPED_DATA_VOLUME_ANNOTATIONS
            ]
    return omitted
