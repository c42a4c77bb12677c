"""A template's parameters as the form of the OpenShift console, for the eye: `python -m e2e.console_form FILE`.

Prints a page to be opened in a browser: the template's name, description, message and tags as the catalogue has them,
and a field a parameter, in the template's order, labelled and explained as the console does it.
"""

import argparse
import html
import sys
from pathlib import Path
from typing import Any

import yaml

PAGE = """\
<!doctype html><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 14px/1.5 "Red Hat Text", "Liberation Sans", sans-serif; margin: 24px; display: flex; gap: 48px }}
form {{ width: 560px }} aside {{ width: 360px }} h1 {{ font-size: 20px; margin: 0 0 16px }}
label {{ font-weight: 600; display: block; margin-top: 16px }} b {{ color: #c9190b }}
input, textarea {{ width: 100%; box-sizing: border-box; padding: 5px 8px; border: 1px solid #8a8d90; font: inherit }}
small {{ color: #6a6e73 }} code {{ background: #f0f0f0; padding: 1px 6px; border-radius: 8px; margin-right: 4px }}
.alert {{ background: #e7f1fa; border-top: 2px solid #2b9af3; padding: 12px; margin-top: 16px }}
</style>
<form><h1>Instantiate Template</h1>{fields}</form>
<aside><h1>{title}</h1>{tags}<p>{description}</p>{message}</aside>
"""


def page(template: dict[str, Any]) -> str:
    """Return the HTML of the form of an OpenShift Template."""
    metadata = template["metadata"]
    notes = metadata.get("annotations", {})
    message = template.get("message")
    return PAGE.format(
        title=html.escape(notes.get("openshift.io/display-name", metadata["name"])),
        description=html.escape(notes.get("description", "")),
        tags="".join(f"<code>{html.escape(tag)}</code>" for tag in notes.get("tags", "").split(",")),
        message=f'<div class="alert">{html.escape(message)}</div>' if message else "",
        fields="".join(map(_field, template["parameters"])),
    )


def _field(parameter: dict[str, Any]) -> str:
    """Return one field: display name (else the name), a star if it is required, the description below it."""
    value = parameter.get("value", "")
    hint = "(generated if empty)" if parameter.get("generate") else ""
    star = " <b>*</b>" if parameter.get("required") else ""
    label = f"<label>{html.escape(parameter.get('displayName') or parameter['name'])}{star}</label>"
    if "\n" in value:
        box = f'<textarea rows="{min(value.count(chr(10)) + 1, 8)}">{html.escape(value)}</textarea>'
    else:
        box = f'<input value="{html.escape(value)}" placeholder="{hint}">'
    return f"{label}{box}<small>{html.escape(parameter.get('description', ''))}</small>"


def main() -> None:
    """Print the page of the template in a file, or of standard input for `-`."""
    parser = argparse.ArgumentParser(prog="python -m e2e.console_form", description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE", help="an OpenShift Template, in YAML; - is standard input")
    name = parser.parse_args().file
    try:
        template = yaml.safe_load(sys.stdin if name == "-" else Path(name).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        parser.error(str(error))
    if not isinstance(template, dict) or template.get("kind") != "Template":
        parser.error(f"{name} is not an OpenShift Template; `atmpl render` makes one of a VirtualMachine")
    print(page(template))


if __name__ == "__main__":
    main()
