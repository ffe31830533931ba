#!/usr/bin/env python3
"""Writes the field numbers of Kubernetes' protobuf messages as tables that src/apiserver/http/protobuf_tables.cc reads.

Usage: tools/protogen.py K8S_API_FOLDER K8S_APIMACHINERY_FOLDER   (the Go modules k8s.io/api and k8s.io/apimachinery, unpacked)

The numbers, JSON names and types are those of the struct tags in types.go. One line a message, see protobuf_tables.cc.
"""
import pathlib
import re
import sys

api, machinery = map(pathlib.Path, sys.argv[1:3])
OUT = pathlib.Path(__file__).resolve().parents[1] / "src/apiserver/http"
# Our tables: name of the file -> packages in it.
FILES = {"core": ["meta/v1", "core/v1"],
         "groups": ["apps/v1", "batch/v1", "autoscaling/v1", "autoscaling/v2", "networking/v1", "rbac/v1", "policy/v1", "discovery/v1",
                    "coordination/v1", "storage/v1", "events/v1", "authentication/v1", "authorization/v1", "scheduling/v1", "node/v1"]}
SPECIAL = {"Quantity": "quantity", "Time": "time", "MicroTime": "microtime", "IntOrString": "intstr", "FieldsV1": "json", "RawExtension": "json"}
SCALAR = {"string": "string", "bool": "bool", "int32": "int", "int64": "int", "int": "int", "byte": "int"}


def folder(package):
    return machinery / "pkg/apis/meta/v1" if package == "meta/v1" else api / package


structs, aliases = {}, {}
for package in sum(FILES.values(), []):
    for file in sorted(folder(package).glob("*.go")):
        if file.name.startswith(("generated", "zz_")) or file.name.endswith("_test.go"):
            continue
        text = file.read_text()
        imports = {}
        for alias, path in re.findall(r'^\s*(\w*)\s*"(k8s\.io/[\w./-]+)"', text, re.M):
            parts = path.split("/")
            imports[alias or parts[-1]] = "meta/v1" if "apimachinery/pkg/apis/meta" in path else "/".join(parts[-2:])
        for name, target in re.findall(r"^type (\w+) (\[?\]?[\w.]+)$", text, re.M):
            aliases[f"{package}/{name}"] = (target, imports)
        for name, target in re.findall(r"^type (\w+) (map\[[\w.]+\][\w.]+)$", text, re.M):
            aliases[f"{package}/{name}"] = (target, imports)
        for name, body in re.findall(r"^type (\w+) struct \{\n(.*?)^\}", text, re.M | re.S):
            structs[f"{package}/{name}"] = (body, imports)


def resolve(package, imports, kind):
    """(suffix, type): "[]", "{}" or "" and a scalar or the name of a message; None for what the tables cannot say."""
    if kind.startswith("[]byte"):
        return "", "bytes"
    if kind.startswith("[]"):
        inner = resolve(package, imports, kind[2:].lstrip("*"))
        return ("[]", inner[1]) if inner and inner[0] == "" else None
    found = re.match(r"map\[[\w.]+\](.+)", kind)
    if found:
        inner = resolve(package, imports, found.group(1))
        return ("{}", inner[1]) if inner and inner[0] == "" else None
    if kind in SCALAR:
        return "", SCALAR[kind]
    if "." in kind:
        alias, name = kind.split(".")
        if name in SPECIAL:
            return "", SPECIAL[name]
        if alias == "types":
            return "", "string"
        return resolve(imports.get(alias, alias), {}, name)
    if package == "meta/v1" and kind in SPECIAL:
        return "", SPECIAL[kind]
    full = f"{package}/{kind}"
    if full in structs:
        return "", full
    if full in aliases:
        target, where = aliases[full]
        return resolve(package, where, target)
    return None


FIELD = re.compile(r'^\s*(?:(\w+)\s+)?(\*?)([\w.\[\]*]+)\s+`json:"([^"]*)"(?:\s+\w+:"[^"]*")*?\s+protobuf:"(\w+),(\d+),', re.M)


def tables():
    """Every kind of our packages and what it is made of: name -> line."""
    wanted = [n for n, (body, _) in structs.items() if "TypeMeta `json" in body] + ["meta/v1/ListMeta"]
    found = {}
    while wanted:
        name = wanted.pop()
        if name in found:
            continue
        body, imports = structs[name]
        words = []
        for _, star, kind, tag, _, number in FIELD.findall(body):
            json_name = tag.split(",")[0]
            if "inline" in tag or json_name == "":
                json_name = "-"
            resolved = resolve(name.rsplit("/", 1)[0], imports, kind)
            if resolved is None:
                continue
            suffix, target = resolved
            if target.endswith("ExtraValue"):  # a list in JSON, a message on the wire
                target = "texts"
            if target in structs:
                wanted.append(target)
            words.append(f"{number}={json_name}:{target}{suffix}{'*' if star else ''}")
        found[name] = f"{name}: {' '.join(words)}".rstrip()
    return found


ALL = tables()
for file, packages in FILES.items():
    table = sorted(line for name, line in ALL.items() if name.rsplit("/", 1)[0] in packages)
    text = "\n".join(table)
    assert len(text) < 65000, "longer than a string literal may be"
    (OUT / f"protobuf_{file}.cc").write_text(
        f"// Made by tools/protogen.py; protobuf_tables.cc says how to read it.\n#include \"apiserver/http/protobuf_tables.h\"\n\n"
        f"namespace slipway::apiserver {{\n\n// clang-format off\nconst char* const kProtobuf{file.capitalize()} = R\"(\n{text}\n)\";\n"
        f"// clang-format on\n\n}}  // namespace slipway::apiserver\n")
    print(file, len(table), "messages", len(text), "bytes")
