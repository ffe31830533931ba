#!/usr/bin/env python3
"""Turns schemas into the blob that is linked into the binary.

Input: Kubernetes' definitions (PyPI kubernetes-validate) and the files of api/. Output: one file with gzip members
  structure      node tables for validation, pruning, defaulting and merging (layout: src/objects/schema/node_table.h)
  resources      JSON list of what the API serves
  openapi/v2     gnostic openapi.v2.Document as protobuf, what kubectl 1.20 reads
  openapi/v3/GV  one OpenAPI 3 document per group and version
and a directory in front: u32 length, JSON {name: [offset, length, raw length, content hash]}, then the members.

usage: schemagen.py --definitions FILE --api DIR --out FILE
       schemagen.py --definitions FILE --api DIR --crds        prints CustomResourceDefinitions for a cluster
"""
import argparse
import copy
import glob
import gzip
import hashlib
import json
import os
import struct
import sys

import yaml

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
NONE = 0xFFFFFFFF
TYPES = {"": 0, "object": 1, "array": 2, "string": 3, "integer": 4, "number": 5, "boolean": 6, "int-or-string": 7, "quantity": 8}
LIST_TYPES = {"": 0, "atomic": 1, "set": 2, "map": 3}
PRESERVE, NULLABLE, ATOMIC_MAP = 1, 2, 4
KUBERNETES_DEFAULT, VALUE_STRUCT = 1, 2


def fail(message):
    sys.exit("schemagen: " + message)


def reversed_group(group):
    return ".".join(reversed(group.split(".")))


class Source:
    """All definitions by full name, in one dialect: no null types, $ref as a bare name, no include."""

    def __init__(self, definitions_file, api):
        self.definitions = {}
        self.defaults = {}
        self.optional = {}
        self.structs = {}
        self.resources = []
        self.reviews = []
        self.extra = []
        with open(definitions_file) as f:
            raw = json.load(f)
        raw = raw.get("$defs") or raw.get("definitions") or fail(definitions_file + " holds no definitions")
        for name, schema in raw.items():
            self.definitions[name] = self.clean(schema)
        self.definitions[QUANTITY] = {
            "description": "A fixed-point number, written as 500m, 2, 1.5 or 1Gi.", "x-quantity": True}
        self.definitions[INT_OR_STRING] = {"x-kubernetes-int-or-string": True}
        self.read_kubernetes(os.path.join(api, "kubernetes.yaml"))
        # A folder is named after its group; api/runtimes and api/config hold objects, not schemas.
        for folder in sorted(glob.glob(os.path.join(api, "*.*", ""))):
            self.read_group(folder)
        self.resources.sort(key=lambda r: r["order"])

    def clean(self, schema):
        """Kubernetes' JSON schema dialect to ours."""
        if isinstance(schema, list):
            return [self.clean(s) for s in schema]
        if not isinstance(schema, dict):
            return schema
        out = {}
        for key, value in schema.items():
            if key == "type" and isinstance(value, list):
                out["type"] = next(t for t in value if t != "null")
            elif key == "$ref":
                out["$ref"] = value.rsplit("/", 1)[1]
            elif key == "properties":
                out["properties"] = {n: self.clean(p) for n, p in value.items()}
            elif key in ("items", "additionalProperties"):
                out[key] = self.clean(value)
            elif key == "enum" and schema.get("type") and any(str(v).endswith("v1") for v in value) and "APIVersion" in schema.get("description", ""):
                continue
            elif key == "enum" and schema.get("description", "").startswith("Kind is a string value"):
                continue
            else:
                out[key] = value
        return out

    def read_kubernetes(self, path):
        with open(path) as f:
            table = yaml.safe_load(f)
        self.defaults = table["defaults"]
        self.optional = table["optional"]
        self.structs = table["structs"]
        self.extra = table["extra"]
        for name in list(self.defaults) + list(self.optional) + list(self.structs) + self.extra:
            if name not in self.definitions:
                fail(f"{path}: no definition is called {name}")
        for place, key in ((self.resources, "resources"), (self.reviews, "reviews")):
            for entry in table[key]:
                name = entry["definition"]
                if name not in self.definitions:
                    fail(f"{path}: no definition is called {name}")
                gvk = self.definitions[name]["x-kubernetes-group-version-kind"][0]
                place.append(self.resource(dict(entry), gvk["group"], gvk["version"], gvk["kind"], name, len(place)))

    def resource(self, entry, group, version, kind, definition, order):
        return {
            "group": group, "version": version, "kind": kind, "definition": definition, "plural": entry["plural"],
            "singular": entry.get("singular") or kind.lower(), "shortNames": entry.get("shortNames") or [],
            "categories": entry.get("categories") or [], "namespaced": entry.get("scope", "Namespaced") == "Namespaced",
            "status": bool(entry.get("status")), "scale": bool(entry.get("scale")), "custom": bool(entry.get("custom")),
            "storedAs": entry.get("storedAs", ""), "columns": entry.get("columns") or [], "order": order}

    ORDER = ["serving.kserve.io", "serving.knative.dev", "autoscaling.internal.knative.dev", "networking.istio.io",
             "datasciencecluster.opendatahub.io"]

    def read_group(self, folder):
        group = os.path.basename(os.path.dirname(folder))
        shared = {}
        files = []
        for path in sorted(glob.glob(os.path.join(folder, "*.yaml"))):
            with open(path) as f:
                content = yaml.safe_load(f)
            if os.path.basename(path) == "common.yaml":
                shared = content["definitions"]
            else:
                files.append((path, content))
        base = 1000 * (1 + (self.ORDER.index(group) if group in self.ORDER else len(self.ORDER)))
        for path, content in files:
            if content["group"] != group:
                fail(f"{path}: group {content['group']} does not match the folder {group}")
            for version_index, version in enumerate(content["versions"]):
                prefix = f"{reversed_group(group)}.{version}."
                local = {**shared, **content.get("definitions", {})}
                scope = Scope(self, local, prefix, path)
                for name in local:
                    self.definitions[prefix + name] = scope.resolve(local[name])
                for variant in [content] + [{**content, **also} for also in content.get("also", [])]:
                    name = prefix + variant["kind"]
                    self.definitions[name] = scope.kind(variant, version)
                    entry = {**variant, "custom": True}
                    if version_index:
                        entry["storedAs"] = f"{group}/{content['versions'][0]}"
                    self.resources.append(self.resource(entry, group, version, variant["kind"], name, base + len(self.resources)))


class Scope:
    """Resolves names and `include` in one file of api/."""

    def __init__(self, source, local, prefix, path):
        self.source, self.local, self.prefix, self.path = source, local, prefix, path

    def full(self, name):
        if name in self.local:
            return self.prefix + name
        name = name.replace("core.", "io.k8s.api.core.v1.", 1) if name.startswith("core.") else name
        if name not in self.source.definitions:
            fail(f"{self.path}: no definition is called {name}")
        return name

    def included(self, name):
        if name in self.local:
            return self.resolve(self.local[name])
        return self.source.definitions[self.full(name)]

    def resolve(self, schema):
        if isinstance(schema, list):
            return [self.resolve(s) for s in schema]
        if not isinstance(schema, dict):
            return schema
        out = {k: v for k, v in schema.items() if k != "include"}
        if "$ref" in out:
            out["$ref"] = self.full(out["$ref"])
        own = {n: self.resolve(p) for n, p in schema.get("properties", {}).items()}
        if "include" in schema:
            merged = {}
            for name in schema["include"]:
                merged.update(copy.deepcopy(self.included(name).get("properties", {})))
            merged.update(own)
            own = merged
            out.setdefault("type", "object")
        if own:
            out["properties"] = own
        for key in ("items", "additionalProperties"):
            if key in schema:
                out[key] = self.resolve(schema[key])
        return out

    def kind(self, content, version):
        pod = self.source.definitions["io.k8s.api.core.v1.Pod"]["properties"]
        properties = {
            "apiVersion": {k: v for k, v in pod["apiVersion"].items() if k != "enum"},
            "kind": {k: v for k, v in pod["kind"].items() if k != "enum"},
            "metadata": {"$ref": META, "description": pod["metadata"]["description"]}}
        for name, schema in content["schema"].items():
            properties[name] = self.resolve(schema)
        return {
            "description": content["description"], "type": "object", "properties": properties,
            "x-kubernetes-group-version-kind": [{"group": content["group"], "kind": content["kind"], "version": version}]}


def references(schema, found):
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                found.add(value)
            elif key == "properties":
                for p in value.values():
                    references(p, found)
            elif key in ("items", "additionalProperties"):
                references(value, found)


def closure(source, names):
    done, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        found = set()
        references(source.definitions[name], found)
        todo.extend(found)
    return sorted(done)


class NodeTable:
    """Definitions as fixed-size records: what the binary keeps in memory."""

    def __init__(self, source):
        self.source = source
        self.strings, self.string_ids = [], {}
        self.nodes, self.properties, self.lists = [], [], []
        self.by_name = {}
        self.string("")

    def string(self, text):
        if text not in self.string_ids:
            self.string_ids[text] = len(self.strings)
            self.strings.append(text)
        return self.string_ids[text]

    def list(self, texts):
        begin = len(self.lists)
        self.lists.extend(self.string(t if isinstance(t, str) else json.dumps(t)) for t in texts)
        return begin, len(texts)

    def definition(self, name):
        if name not in self.by_name:
            self.by_name[name] = len(self.nodes)
            self.nodes.append(None)
            self.fill(self.by_name[name], self.source.definitions[name], name)
        return self.by_name[name]

    def node(self, schema):
        if "$ref" in schema:
            target = self.source.definitions[schema["$ref"]]
            extra = {k: v for k, v in schema.items() if k.startswith("x-kubernetes") or k in ("nullable", "enum")}
            if not extra:
                return self.definition(schema["$ref"])
            index = len(self.nodes)
            self.nodes.append(None)
            self.fill(index, {**target, **extra}, schema["$ref"])
            return index
        index = len(self.nodes)
        self.nodes.append(None)
        self.fill(index, schema, "")
        return index

    def type_of(self, schema):
        if schema.get("x-quantity"):
            return TYPES["quantity"]
        if schema.get("x-kubernetes-int-or-string"):
            return TYPES["int-or-string"]
        return TYPES[schema.get("type", "object" if "properties" in schema else "")]

    def fill(self, index, schema, name):
        kind = self.type_of(schema)
        properties = schema.get("properties", {})
        additional = schema.get("additionalProperties")
        flags = NULLABLE if schema.get("nullable") else 0
        if schema.get("x-kubernetes-map-type") == "atomic":
            flags |= ATOMIC_MAP
        open_object = kind == TYPES["object"] and not properties and not isinstance(additional, dict)
        if schema.get("x-kubernetes-preserve-unknown-fields") or open_object or kind == 0:
            flags |= PRESERVE
        defaults = self.source.defaults.get(name, {})
        optional = self.source.optional.get(name, [])
        structs = self.source.structs.get(name, [])
        rows = []
        for p in sorted(properties):
            child = properties[p]
            default, origin = NONE, 0
            if p in defaults:
                default, origin = self.string(json.dumps(defaults[p], separators=(",", ":"))), KUBERNETES_DEFAULT
            elif "default" in child:
                default = self.string(json.dumps(child["default"], separators=(",", ":")))
            if p in structs:
                origin |= VALUE_STRUCT
            rows.append((self.string(p), self.node(child), default, origin))
        for p in list(defaults) + structs:
            if p not in properties:
                fail(f"api/kubernetes.yaml: {name} has no field {p}")
        begin = len(self.properties)
        self.properties.extend(rows)
        items = self.node(schema["items"]) if "items" in schema else NONE
        extra = self.node(additional) if isinstance(additional, dict) else NONE
        required = self.list([r for r in schema.get("required", []) if r not in optional])
        enum = self.list(schema.get("enum", []))
        keys = self.list(schema.get("x-kubernetes-list-map-keys", []))
        text = lambda key: self.string(str(schema[key])) if key in schema else 0
        number = lambda key: int(schema[key]) if key in schema else NONE
        self.nodes[index] = struct.pack(
            "<24I", kind, flags, text("format"), begin, len(rows), *required, items, extra, *enum, text("pattern"),
            LIST_TYPES[schema.get("x-kubernetes-list-type", "")], *keys, text("x-kubernetes-patch-merge-key"),
            text("x-kubernetes-patch-strategy"), text("minimum"), text("maximum"), number("minLength"),
            number("maxLength"), number("minItems"), self.string(name), 0)

    def pack(self):
        data = "".join(self.strings).encode()
        offsets, at = [], 0
        for s in self.strings:
            offsets.append(at)
            at += len(s.encode())
        offsets.append(at)
        head = struct.pack("<5I", len(self.nodes), len(self.properties), len(self.lists), len(self.strings), len(data))
        body = b"".join(self.nodes) + b"".join(struct.pack("<4I", *p) for p in self.properties)
        body += struct.pack(f"<{len(self.lists)}I", *self.lists) + struct.pack(f"<{len(offsets)}I", *offsets)
        return head + body + data


KEPT = ("description", "format", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "default", "required",
        "nullable")


def v3_schema(schema):
    if "$ref" in schema:
        out = {"allOf": [{"$ref": "#/components/schemas/" + schema["$ref"]}]}
        if "description" in schema:
            out["description"] = schema["description"]
        if "default" in schema:
            out["default"] = schema["default"]
        return out
    out = {k: schema[k] for k in KEPT if k in schema}
    if schema.get("x-quantity"):
        return {**out, "oneOf": [{"type": "string"}, {"type": "number"}]}
    if schema.get("x-kubernetes-int-or-string"):
        return {**out, "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    if "type" in schema:
        out["type"] = schema["type"]
    out.update({k: v for k, v in schema.items() if k.startswith("x-kubernetes")})
    if "properties" in schema:
        out["properties"] = {n: v3_schema(p) for n, p in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            out[key] = v3_schema(schema[key])
    return out


def gv_path(resource):
    return f"apis/{resource['group']}/{resource['version']}" if resource["group"] else f"api/{resource['version']}"


def collection_path(resource):
    return "/" + gv_path(resource) + ("/namespaces/{namespace}/" if resource["namespaced"] else "/") + resource["plural"]


def gvk_of(resource):
    return {"group": resource["group"], "version": resource["version"], "kind": resource["kind"]}


MEDIA = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]


def v3_operations(resource, review):
    def parameter(name, text):
        return {"name": name, "in": "query", "description": text, "schema": {"type": "string", "uniqueItems": True}}

    reference = {"$ref": "#/components/schemas/" + resource["definition"]}
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}}
    dry = parameter("dryRun", "All: run every check and store nothing.")
    strict = parameter("fieldValidation", "Ignore, Warn or Strict: what to do about unknown and duplicate fields.")
    manager = parameter("fieldManager", "Name of the program that makes the change.")
    gvk = gvk_of(resource)

    def operation(action, parameters=(), media=()):
        out = {"x-kubernetes-action": action, "x-kubernetes-group-version-kind": gvk, "responses": answer, "tags": []}
        if parameters:
            out["parameters"] = list(parameters)
        if media:
            schema = reference if action != "patch" else {"type": "object"}
            out["requestBody"] = {"content": {m: {"schema": schema} for m in media}, "required": True}
        return out

    create = operation("post", (dry, manager, strict), ("application/json", "application/yaml"))
    path = collection_path(resource)
    if review:
        return {path: {"post": create}}
    patch = MEDIA + ([] if resource["custom"] else ["application/strategic-merge-patch+json"])
    item = {
        "get": operation("get"), "put": operation("put", (dry, manager, strict), ("application/json", "application/yaml")),
        "patch": operation("patch", (dry, manager, strict, parameter("force", "Take fields from other managers.")), patch),
        "delete": operation("delete", (dry,))}
    paths = {path: {"get": operation("list"), "post": create}, path + "/{name}": item}
    for subresource in ("status",) if resource["status"] else ():
        paths[f"{path}/{{name}}/{subresource}"] = {k: item[k] for k in ("get", "put", "patch")}
    return paths


def v3_documents(source, version):
    groups = {}
    for resource in source.resources:
        groups.setdefault(gv_path(resource), []).append((resource, False))
    for resource in source.reviews:
        groups.setdefault(gv_path(resource), []).append((resource, True))
    out = {}
    for gv, entries in groups.items():
        paths, names = {}, set()
        for resource, review in entries:
            paths.update(v3_operations(resource, review))
            names.add(resource["definition"])
        if gv == "api/v1":
            names.update(source.extra)
        schemas = {n: v3_schema(source.definitions[n]) for n in closure(source, names)}
        out[gv] = {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": version}, "paths": paths,
                   "components": {"schemas": schemas}}
    return out


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, value):
    """One protobuf field: text and bytes length-delimited, bool and int as varint."""
    if isinstance(value, bool) or isinstance(value, int):
        return varint(number << 3) + varint(int(value))
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def named(name, value):
    return field(1, name) + field(2, value)


def vendor(number, key, value):
    return field(number, named(key, field(2, json.dumps(value, separators=(",", ":")) + "\n")))


def v2_schema(schema):
    """gnostic openapi.v2.Schema. Objects that keep unknown fields are written without properties: old clients check."""
    if "$ref" in schema:
        return field(1, "#/definitions/" + schema["$ref"]) + (field(4, schema["description"]) if "description" in schema else b"")
    out = b""
    if schema.get("x-quantity"):
        return field(4, schema["description"]) + field(22, field(1, "string"))
    if schema.get("x-kubernetes-int-or-string"):
        return field(2, "int-or-string") + (field(4, schema["description"]) if "description" in schema else b"") + field(22, field(1, "string"))
    if "format" in schema:
        out += field(2, schema["format"])
    if "description" in schema:
        out += field(4, schema["description"])
    keep = schema.get("x-kubernetes-preserve-unknown-fields")
    if not keep:
        for name in schema.get("required", []):
            out += field(19, name)
    if isinstance(schema.get("additionalProperties"), dict):
        out += field(21, field(1, v2_schema(schema["additionalProperties"])))
    if schema.get("type"):
        out += field(22, field(1, schema["type"]))
    if "items" in schema:
        out += field(23, field(1, v2_schema(schema["items"])))
    if schema.get("properties") and not keep:
        out += field(25, b"".join(field(1, named(n, v2_schema(p))) for n, p in sorted(schema["properties"].items())))
    for key, value in schema.items():
        if key.startswith("x-kubernetes"):
            out += vendor(31, key, value)
    return out


def v2_document(source, version):
    def query(name):
        return field(8, field(1, field(2, field(3, field(2, "query") + field(4, name) + field(6, "string") + field(21, True)))))

    responses = field(9, field(1, named("200", field(1, field(1, "OK")))))

    def operation(resource, action, parameters):
        out = field(5, f"{action}{resource['group'].replace('.', '')}{resource['version']}{resource['kind']}")
        out += b"".join(query(p) for p in parameters) + responses
        return out + vendor(13, "x-kubernetes-group-version-kind", gvk_of(resource)) + vendor(13, "x-kubernetes-action", action)

    paths = b""
    for resource in source.resources:
        path = collection_path(resource)
        item = field(2, operation(resource, "get", [])) + field(3, operation(resource, "put", ["dryRun"]))
        item += field(5, operation(resource, "delete", ["dryRun"])) + field(8, operation(resource, "patch", ["dryRun", "force"]))
        whole = field(2, operation(resource, "list", [])) + field(4, operation(resource, "post", ["dryRun"]))
        paths += field(2, named(path, whole)) + field(2, named(path + "/{name}", item))
    roots = [r["definition"] for r in source.resources + source.reviews] + source.extra
    definitions = b"".join(field(1, named(n, v2_schema(source.definitions[n]))) for n in closure(source, roots))
    info = field(1, "Kubernetes") + field(2, version)
    return field(1, "2.0") + field(2, info) + field(8, paths) + field(9, definitions)


def compact(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def write_blob(source, version, path):
    table = NodeTable(source)
    resources = []
    for r in source.resources:
        resources.append({**{k: v for k, v in r.items() if k != "order"}, "node": table.definition(r["definition"])})
    for name in source.extra + [r["definition"] for r in source.reviews] + [META]:
        table.definition(name)
    roots = {name: index for name, index in table.by_name.items()}
    members = {"structure": table.pack(), "resources": compact({"resources": resources, "definitions": roots}),
               "openapi/v2": v2_document(source, version)}
    for gv, document in v3_documents(source, version).items():
        members["openapi/v3/" + gv] = compact(document)
    directory, body = {}, b""
    for name, raw in members.items():
        packed = gzip.compress(raw, 9, mtime=0)
        directory[name] = [len(body), len(packed), len(raw), hashlib.sha256(raw).hexdigest()[:32].upper()]
        body += packed
    head = compact(directory)
    temporary = path + ".new"
    with open(temporary, "wb") as f:
        f.write(struct.pack("<I", len(head)) + head + body)
    os.replace(temporary, path)


def expand(source, schema, depth=0):
    """A schema without $ref, for a CustomResourceDefinition."""
    if depth > 40:
        return {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
    if "$ref" in schema:
        merged = {**source.definitions[schema["$ref"]], **{k: v for k, v in schema.items() if k != "$ref"}}
        return expand(source, merged, depth + 1)
    out = {k: v for k, v in v3_schema(schema).items()
           if k not in ("oneOf", "x-kubernetes-group-version-kind", "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key", "x-kubernetes-unions")}
    if schema.get("x-quantity") or schema.get("x-kubernetes-int-or-string"):
        out.pop("format", None)
        out["anyOf"] = [{"type": "integer"}, {"type": "string"}]
        out["x-kubernetes-int-or-string"] = True
        return out
    if out.get("x-kubernetes-list-type") == "map":
        keys = out.get("x-kubernetes-list-map-keys", [])
        item = schema["items"] if "$ref" not in schema["items"] else source.definitions[schema["items"]["$ref"]]
        if any(k not in item.get("required", []) for k in keys):  # apiextensions demands keys that are required or defaulted
            out.pop("x-kubernetes-list-type")
            out.pop("x-kubernetes-list-map-keys")
    if schema.get("type") == "object" and not schema.get("properties") and not isinstance(schema.get("additionalProperties"), dict):
        out["x-kubernetes-preserve-unknown-fields"] = True
    if "properties" in schema:
        out["properties"] = {n: expand(source, p, depth + 1) for n, p in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            out[key] = expand(source, schema[key], depth + 1)
    return out


def crds(source):
    by_name = {}
    for r in source.resources:
        if r["custom"]:
            by_name.setdefault(f"{r['plural']}.{r['group']}", []).append(r)
    for name, versions in by_name.items():
        first = versions[0]
        body = []
        for r in versions:
            schema = expand(source, source.definitions[r["definition"]])
            schema["properties"]["metadata"] = {"type": "object"}
            entry = {"name": r["version"], "served": True, "storage": r is first, "schema": {"openAPIV3Schema": schema},
                     "additionalPrinterColumns": [{**c} for c in r["columns"]]}
            if r["status"]:
                entry["subresources"] = {"status": {}}
            body.append(entry)
        yield {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name},
               "spec": {"group": first["group"], "scope": "Namespaced" if first["namespaced"] else "Cluster",
                        "names": {"kind": first["kind"], "listKind": first["kind"] + "List", "plural": first["plural"],
                                  "singular": first["singular"], "shortNames": first["shortNames"],
                                  "categories": first["categories"]}, "versions": body}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--definitions", required=True)
    parser.add_argument("--api", required=True)
    parser.add_argument("--out")
    parser.add_argument("--crds", action="store_true")
    parser.add_argument("--version", default="v1.34.0")
    args = parser.parse_args()
    if not os.path.exists(args.definitions):
        fail(f"{args.definitions} is missing. Run: deps/fetch.sh kubernetes-validate")
    source = Source(args.definitions, args.api)
    if args.crds:
        yaml.safe_dump_all(list(crds(source)), sys.stdout, sort_keys=False)
    else:
        write_blob(source, args.version, args.out)


if __name__ == "__main__":
    main()
