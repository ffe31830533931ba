#!/usr/bin/env python3
"""Holds the dependency rule: a module includes only the modules that src/CMakeLists.txt lists as its DEPS.

Also refuses an await inside a condition (g++ 12 miscompiles it, and it reads badly), files over 600 lines, and the
third-party headers that belong to one module only. Prints one line per finding; exit status 1 if there are any.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
# header prefix -> modules that may include it
OWNED = {
    "boost/beast": {"net"}, "nghttp2/": {"net"}, "wslay/": {"net"}, "openssl/ssl": {"net"}, "curl/": {"storage"},
    "sqlite3.h": {"apiserver"}, "CLI/": {"cmd"}, "yaml-cpp/": {"data"}, "archive": {"data", "storage"},
    "spdlog/": {"base"},
}
MAX_LINES = 600


def module_table():
    text = re.sub(r"#.*", "", (SRC / "CMakeLists.txt").read_text())
    table = {}
    for body in re.findall(r"slipway_module\(([^)]*)\)", text):
        words = body.split()
        name, deps, test_deps, into = words[1], set(), set(), None
        for word in words[2:]:
            if word in ("DEPS", "LIBS", "TEST_DEPS"):
                into = {"DEPS": deps, "TEST_DEPS": test_deps}.get(word)
            elif into is not None:
                into.add(word)
        table[name] = (deps, test_deps)
    return table


def awaits_in_condition(line):
    """True for `if (co_await …)` and the like; `if (x) co_await …` is fine. Conditions are followed to the end of the line."""
    if line.lstrip().startswith("//"):
        return False
    for match in re.finditer(r"\b(if|while|switch)\s*\(", line):
        depth, end = 1, match.end()
        while end < len(line) and depth:
            depth += {"(": 1, ")": -1}.get(line[end], 0)
            end += 1
        if "co_await" in line[match.end():end]:
            return True
    return False


def check_file(path, table):
    rel = path.relative_to(ROOT)
    module = path.relative_to(SRC).parts[0]
    is_test = path.name.endswith("_test.cc") or "testing" in path.parts
    deps, test_deps = table[module]
    allowed = {module} | deps | (test_deps if is_test else set())
    lines = path.read_text(errors="replace").splitlines()
    if len(lines) > MAX_LINES and "gen" not in path.parts:
        yield f"{rel}: {len(lines)} lines; split it (at most {MAX_LINES})"
    for number, line in enumerate(lines, 1):
        where = f"{rel}:{number}"
        include = re.match(r'\s*#include\s+([<"])([^">]+)[">]', line)
        if include:
            header = include.group(2)
            first = header.split("/")[0]
            if include.group(1) == '"' and first in table and first not in allowed:
                yield f"{where}: {module} may not include {first} (see DEPS in src/CMakeLists.txt)"
            for prefix, owners in OWNED.items():
                if include.group(1) == "<" and header.startswith(prefix) and module not in owners and not is_test:
                    yield f"{where}: <{header}> belongs to {', '.join(sorted(owners))}"
        elif awaits_in_condition(line):
            yield f"{where}: await on a line of its own, into a named value"


def main():
    table = module_table()
    findings = [f for path in sorted(SRC.rglob("*")) if path.suffix in (".h", ".cc")
                and path.relative_to(SRC).parts[0] in table for f in check_file(path, table)]
    print("\n".join(findings) if findings else "layers: ok")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
