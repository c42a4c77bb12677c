"""Runs the cases of ../shared/cases/expectations.yaml: command lines and what must hold of their results.

The head of that file describes its format.
"""

import json
import re
import shlex
import threading
from contextlib import ExitStack, chdir, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.support.cli_runner import typed
from tests.support.shared_data import SHARED

NAMESPACE = "team-a"
GENERATED_SUFFIX = "q7x2m"
SERVER_METADATA = {
    "namespace": NAMESPACE,
    "uid": "5d307ca9-b3ef-428c-8861-06e72d69f223",
    "resourceVersion": "7",
    "generation": 1,
    "creationTimestamp": "2026-01-01T00:00:00Z",
}
MISSING = object()


def cases(*groups):
    """Return the cases of `groups` by id; empty if there is no shared folder."""
    if SHARED is None:
        return {}
    everything = yaml.safe_load((SHARED / "cases" / "expectations.yaml").read_text())
    return {case["id"]: case for case in everything if case["group"] in groups}


def runs(found):
    """Return (id, format) of each run; a case with `both` runs once per format."""
    return [(name, format) for name, case in found.items() for format in (FORMATS if case.get("both") else (None,))]


FORMATS = ("openshift", "native")


def check(case, format, tmp_path):
    """Run one case, with `--format` if a format is given, and assert what must hold."""
    step = {**case, **case.get(format, {})} if format else case
    with ExitStack() as stack:
        stack.enter_context(chdir(SHARED / "cases"))
        server = None
        if "cluster" in case:
            server = stack.enter_context(_cluster(case["cluster"], tmp_path))
        check_step(step, f" --format {format}" if format else "", step.get("stdin"))
        if server is not None and "created" in case:
            check_created(case["created"], server.created)


def check_step(step, more, stdin):
    line = _with_json(step["run"] + more, step)
    result = typed(*shlex.split(line), stdin=stdin)
    context = f"{line}\n{result.err}\n{result.out}"
    assert "Traceback" not in result.err, context
    alternatives = step.get("either")
    if alternatives:
        assert any(_holds(each, result, line, stdin) for each in alternatives), context
    check_result(step, result, line, stdin)
    if step.get("twice"):
        assert typed(*shlex.split(line), stdin=stdin) == result, context
    if "same_as" in step:
        assert typed(*shlex.split(_with_json(step["same_as"], step)), stdin=stdin).out == result.out, context
    followers = step.get("then", [])
    for follower in [followers] if isinstance(followers, dict) else followers:
        check_step(follower, "", result.out)


def _with_json(line, step):
    has_output = step.get("yaml") or " -o " in line or "--print-params" in line
    if line.split()[0] in ("render", "process", "convert") and not has_output:
        return line + " -o json"
    return line


def _holds(step, result, line, stdin):
    try:
        check_result(step, result, line, stdin)
    except AssertionError:
        return False
    return True


def check_result(step, result, line, stdin):
    context = f"{line}\n{result.err}\n{result.out}"
    expected = step.get("exit", 0)
    assert result.status in (expected if isinstance(expected, list) else [expected]), context
    _check_warnings(step, result.err, context)
    for name, text in (("stderr", result.err), ("stdout", result.out)):
        _check_text(step.get(name, {}), text, context)
    documents = _documents(result.out) if _has_objects(step) else []
    if "documents" in step:
        count = step["documents"]
        assert len(documents) in (count if isinstance(count, list) else [count]), context
    if not documents:
        return
    first = documents[0]
    if "params" in step:
        check_parameters(step["params"], _parameters(first), context)
    if "message" in step:
        _check_message(step["message"], first, context)
    if "template" in step:
        check_object(step["template"], first, context)
    if "object" in step:
        check_object(step["object"], _object_of(first), context)
    if "vm" in step:
        check_object(step["vm"], _vm(first, step), context)


def _documents(text):
    """Return the objects in a YAML stream, or in JSON texts that follow each other."""
    if not text.startswith("{"):
        return [each for each in yaml.safe_load_all(text) if each is not None]
    documents, rest = [], text
    while rest.strip():
        document, end = json.JSONDecoder().raw_decode(rest.lstrip())
        documents.append(document)
        rest = rest.lstrip()[end:]
    return documents


def _has_objects(step):
    return any(key in step for key in ("documents", "params", "message", "template", "object", "vm"))


def _check_warnings(step, err, context):
    lines = [line for line in err.splitlines() if line.startswith("warning")]
    if "warnings" in step:
        found = {reason for line in lines for reason in re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", line)}
        known = found & _REASONS
        assert known == set(step["warnings"]), context
    for reason, texts in step.get("warned", {}).items():
        for text in texts:
            assert any(reason in line and text.lower() in line.lower() for line in lines), (text, context)
    for reason, texts in step.get("unwarned", {}).items():
        for text in texts:
            assert not any(reason in line and text.lower() in line.lower() for line in lines), (text, context)


_REASONS = {
    *("SharedDataVolumes", "SharedDisk", "EmptyDisk", "InlineSecret", "SourceAddress", "SourceName", "OtherNamespace"),
    *("PinnedToNode", "UnmatchedPattern", "LiteralNumber"),
}


def _check_text(rule, text, context):
    for each in rule.get("has", ()):
        assert each.lower() in text.lower(), (each, context)
    for each in rule.get("lacks", ()):
        assert each.lower() not in text.lower(), (each, context)
    for each in rule.get("matches", ()):
        assert re.search(each, text), (each, context)


def _check_message(rule, template, context):
    message = template.get("message") or (template.get("spec") or {}).get("message")
    if rule.get("none"):
        assert not message, context
    else:
        _check_text(rule, message or "", context)


def _parameters(template):
    return template.get("parameters") or (template.get("spec") or {}).get("parameters") or []


def _object_of(template):
    return template["objects"][0] if "objects" in template else template["spec"]["virtualMachine"]


def check_parameters(rule, parameters, context):
    by_name = {each["name"]: each for each in parameters}
    assert set(rule.get("has", ())) <= by_name.keys(), context
    assert by_name.keys().isdisjoint(rule.get("lacks", ())), context
    if "only" in rule:
        assert list(by_name) == rule["only"], context
    for name, value in rule.get("values", {}).items():
        assert by_name[name]["value"] == value, (name, context)
    for name in rule.get("required", ()):
        assert by_name[name]["required"] is True, (name, context)
        assert "value" not in by_name[name], (name, context)
    for name, expression in rule.get("generated", {}).items():
        assert (by_name[name]["generate"], by_name[name]["from"]) == ("expression", expression), (name, context)
    if "first" in rule:
        assert parameters[0]["name"] == rule["first"], context
    if "last" in rule:
        assert parameters[-1]["name"] == rule["last"], context
    for field, key in (("display", "displayName"), ("description", "description")):
        for name, pattern in rule.get(field, {}).items():
            assert re.fullmatch(pattern, by_name[name][key]), (by_name[name][key], context)


def check_object(rule, value, context):
    for path, expected in rule.get("is", {}).items():
        assert at(value, path) == expected, (path, at(value, path), context)
    for path in rule.get("absent", ()):
        assert at(value, path) is MISSING, (path, context)
    for path in rule.get("present", ()):
        assert at(value, path) is not MISSING, (path, context)
    for path, pattern in rule.get("matches", {}).items():
        assert re.fullmatch(pattern, at(value, path)), (path, at(value, path), context)
    for path, count in rule.get("count", {}).items():
        assert len(at(value, path)) == count, (path, context)
    for path, parts in rule.get("items", {}).items():
        for part in parts:
            assert any(_has_part(item, part) for item in at(value, path)), (path, part, context)
    for path, text in rule.get("contains", {}).items():
        assert text in json.dumps(at(value, path), ensure_ascii=False), (path, context)
    everything = json.dumps(value, ensure_ascii=False)
    for text in rule.get("has", ()):
        assert text in everything, (text, context)
    for text in rule.get("lacks", ()):
        assert text not in everything, (text, context)


def _has_part(item, part):
    if isinstance(part, dict) and part:
        return isinstance(item, dict) and all(key in item and _has_part(item[key], part[key]) for key in part)
    return item == part


def at(value, path):
    """Return what `value` holds at a path: keys joined by dots, [n] an index, [key] a key with dots in it."""
    for bracketed, plain in re.findall(r"\[([^\]]+)\]|([^.\[\]]+)", path):
        key = bracketed or plain
        if isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return MISSING
    return value


def _vm(first, step):
    """Return the VM: the output itself, or what `atmpl process` makes of the template."""
    if first.get("kind") == "VirtualMachine":
        return first
    values = step.get("with", [])
    processed = typed("process", "-", "-o", "json", *values, *_required(first, values), stdin=json.dumps(first))
    assert processed.status == 0, processed.err
    return json.loads(processed.out)


def _required(template, values):
    """Return values for the required parameters that a case does not mention."""
    named = {text.partition("=")[0] for text in values}
    return [
        word
        for each in _parameters(template)
        if each.get("required") and "value" not in each and each["name"] not in named
        for word in ("-p", f"{each['name']}=x")
    ]


def check_created(rule, created):
    real = [(path, vm) for path, vm, is_dry_run in created if not is_dry_run]
    assert len(real) == rule["count"]
    for path, vm in real:
        if "path" in rule:
            assert path == rule["path"]
        check_object(rule.get("vm", {}), vm, "created")


@contextmanager
def _cluster(files, tmp_path):
    """Serve the objects of `files` and accept VMs, with a kubeconfig in KUBECONFIG."""
    objects = [each for name in files for each in yaml.safe_load_all(Path(name).read_text()) if each]
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.created = []
    server.served = {(each["kind"].lower() + "s", each["metadata"]["name"]): each for each in objects}
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    try:
        with mock.patch.dict("os.environ", {"KUBECONFIG": str(kubeconfig)}):
            yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """GET of a template by name, and POST of a VM."""

    def do_GET(self):
        parts = urlsplit(self.path).path.strip("/").split("/")
        found = None
        if len(parts) == 7 and parts[4] == NAMESPACE:
            found = self.server.served.get((parts[5], parts[6]))
            if found is not None and not found["apiVersion"].startswith(parts[1] + "/"):
                found = None
        if found is None:
            self._answer(
                404,
                {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "code": 404,
                    "reason": "NotFound",
                    "message": f'"{parts[-1]}" not found',
                },
            )
        else:
            metadata = {**found["metadata"], **SERVER_METADATA}
            self._answer(200, {**found, "apiVersion": f"{parts[1]}/{parts[2]}", "metadata": metadata})

    def do_POST(self):
        url = urlsplit(self.path)
        vm = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.created.append((url.path, json.loads(json.dumps(vm)), "dryRun" in parse_qs(url.query)))
        if "generateName" in vm["metadata"] and "name" not in vm["metadata"]:
            vm["metadata"]["name"] = vm["metadata"]["generateName"] + GENERATED_SUFFIX
        vm["metadata"].update(SERVER_METADATA)
        self._answer(201, vm)

    def _answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
