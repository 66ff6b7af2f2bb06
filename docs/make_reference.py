"""Writes docs/reference/: a page for each namespace, from declarations, docstrings and examples.

    python docs/make_reference.py            # writes the pages
    python docs/make_reference.py --check    # names the pages that are not up to date

An entry has the signature, the docstring as Markdown, an example, and the forms that a declaration
gives (method, in place, ``out=``). Names whose docstring shows no example have one in
reference_examples.txt; its output is computed here, so that the pages cannot show what is not so.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import enum
import importlib
import inspect
import io
import os
import pkgutil
import re
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import flambeau as torch
from flambeau._deferred import METHODS, _load_methods
from flambeau.ops.declare import DECLARED, REQUIRED, Declaration

HERE = Path(__file__).parent
# page -> the public modules on it, by their names after "flambeau."
PAGES = {
    "torch": "'' random serialization hub func compiler",
    "torch.Tensor": "",
    "torch.autograd": "autograd autograd.*",
    "torch.nn": "nn nn.modules nn.modules.* nn.parameter nn.attention nn.common_types nn.grad",
    "torch.nn.functional": "nn.functional",
    "torch.nn.init": "nn.init",
    "torch.nn.utils": "nn.utils nn.utils.*",
    "torch.nn.parallel": "nn.parallel nn.parallel.*",
    "torch.optim": "optim",
    "torch.optim.lr_scheduler": "optim.lr_scheduler optim.swa_utils optim.*",
    "torch.utils.data": "utils.data utils.data.*",
    "torch.utils.tensorboard": "utils.tensorboard utils.tensorboard.*",
    "torch.utils": "utils utils.*",
    "torch.amp": "amp amp.*",
    "torch.linalg": "linalg",
    "torch.fft": "fft",
    "torch.special": "special",
    "torch.signal": "signal signal.windows",
    "torch.masked": "masked",
    "torch.jit": "jit onnx",
    "torch.profiler": "profiler testing",
    "torch.cuda": "cuda cuda.* cpu mps xpu accelerator backends backends.*",
    "torch.distributed": "distributed multiprocessing",
    "torch.distributions": "distributions distributions.*",
    "torchvision.datasets": "vision.datasets vision.datasets.*",
    "torchvision.models": "vision.models vision.models.*",
    "torchvision.transforms": "vision.transforms vision.transforms.transforms "
                              "vision.transforms.autoaugment",
    "torchvision.transforms.functional": "vision.transforms.functional",
    "torchvision": "vision vision.* version compat compat.alias",
}
# parts of the machinery: their public names are found in the modules above, or are for nobody
INTERNAL = ("codegen", "graph", "ops", "record", "runtime", "construct", "methods", "indexing",
            "tensor", "dtypes", "demo", "compat.runner", "compat.child_main", "compat.tracebacks",
            "audio", "text")
_PREFACE = """Every public name. `python docs/make_reference.py` makes these pages of declarations,
docstrings and examples, which it runs.

All names are PyTorch's, and mean what they mean there. A number among the arguments (a learning
rate, `alpha`) is an input of the compiled program: another one compiles nothing. Every other
argument that is no tensor (`dim`, `kernel_size`) is part of the program. Mistakes raise what
PyTorch raises, with its words. What does not work is listed in the [README](../../README.md)."""
_SECTIONS = ("Args:", "Arguments:", "Returns:", "Raises:", "Yields:", "Attributes:", "Note:",
             "Shape:")


class Entry(NamedTuple):
    """A public object: its public name, the object, and the other names that it has."""

    name: str
    object: Any
    aliases: list[str]


# ---- what is public -----------------------------------------------------------------------------


def public_modules() -> list[str]:
    """The names, after ``flambeau.``, of the modules that users import from."""
    found = [""]
    for module in pkgutil.walk_packages(torch.__path__, "flambeau."):
        name = module.name.removeprefix("flambeau.")
        if any(part.startswith("_") for part in name.split(".")):
            continue
        if not any(name == part or name.startswith(part + ".") for part in INTERNAL):
            found.append(name)
    return found


def _matches(pattern: str, name: str) -> bool:
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1])
    return name == pattern.strip("'")


def page_of(module: str) -> str | None:
    """The page that a module's names are on: the longest pattern counts."""
    found = [(len(pattern), page) for page, patterns in PAGES.items()
             for pattern in patterns.split() if _matches(pattern, module)]
    return max(found)[1] if found else None


def shown(module: str) -> str:
    """A module's name in programs."""
    name = f"torch.{module}" if module else "torch"
    return name.replace("torch.vision", "torchvision").replace("torch.compat", "flambeau.compat")


def public_names(module: str) -> dict[str, Any]:
    """The names that a module exports, and what they mean."""
    loaded = importlib.import_module(f"flambeau.{module}" if module else "flambeau")
    names = getattr(loaded, "__all__", [])
    return {n: getattr(loaded, n) for n in names
            if not n.startswith("_") and not inspect.ismodule(getattr(loaded, n))}


def constants(module: str) -> list[str]:
    """The values, such as dtypes, that a module exports."""
    return [f"{shown(module)}.{name}" for name, value in public_names(module).items()
            if not callable(value) or isinstance(value, torch.dtype)]


def _rank(page: str, module: str) -> tuple:
    patterns = PAGES[page].split()
    return next(i for i, p in enumerate(patterns) if _matches(p, module)), module


def collect() -> dict[str, list[Entry]]:
    """page -> entries; an object is on the first page that has it, under its first name there."""
    placed: dict[str, list[str]] = {page: [] for page in PAGES}
    for module in public_modules():
        page = page_of(module)
        if page is None:
            raise SystemExit(f"no page has the module {module!r}: add it to PAGES")
        placed[page].append(module)
    pages: dict[str, list[Entry]] = {}
    entries: dict[int, Entry] = {}
    for page, modules in placed.items():
        pages[page] = []
        if page == "torch.Tensor":
            pages[page] = list(_tensor_entries())
        for module in sorted(modules, key=lambda m: _rank(page, m)):
            for name, value in public_names(module).items():
                full = f"{shown(module)}.{name}"
                if not callable(value) or isinstance(value, torch.dtype):
                    continue
                known = entries.get(id(value))
                if known is not None:
                    if known.name != full:
                        known.aliases.append(full)
                    continue
                entries[id(value)] = entry = Entry(full, value, [])
                if not _is_in_place(module, name, value):
                    pages[page].append(entry)
    return {page: sorted(found, key=lambda e: e.name) for page, found in pages.items()}


def _is_in_place(module: str, name: str, value) -> bool:
    """Whether a name is a form that the entry of another one shows."""
    return module == "" and name.endswith("_") and name in _GENERATED


def _tensor_entries() -> Iterator[Entry]:
    for name in sorted(n for n in dir(torch.Tensor) if not n.startswith("_")):
        if name not in _GENERATED and name != "names":
            yield Entry(f"torch.Tensor.{name}", inspect.getattr_static(torch.Tensor, name), [])


# ---- declarations -------------------------------------------------------------------------------

for _module in pkgutil.iter_modules(importlib.import_module("flambeau.ops").__path__):
    importlib.import_module(f"flambeau.ops.{_module.name}")
for _name in METHODS:                     # in place of the stand-ins that load them when called
    _load_methods(torch.Tensor, _name)
_OF_FUNCTION: dict[int, Declaration] = {id(d.function): d for d in DECLARED.values()}
_GENERATED = {f"{name}_" for d in DECLARED.values() if d.inplace and not d.namespace
              for name in (d.name, *d.aliases)}
_KINDS = {
    "Tensor": "a tensor", "Tensor | None": "a tensor or None", "Tensors": "a sequence of tensors",
    "Tensor | Number": "a tensor or number", "Tensor | Number | None": "a tensor, number or None",
    "Number": "a number", "Number | None": "a number or None", "Ints": "whole numbers",
    "dtype": "a dtype", "tuple": "a number or several", "int": "a whole number",
    "bool": "True or False", "str": "a string", "float": "a number",
}


def forms(declaration: Declaration, aliases: list[str]) -> list[str]:
    """What else a declaration gives: methods, in-place forms, ``out=``, aliases."""
    names = (declaration.name, *declaration.aliases)
    method = declaration.method and not declaration.namespace
    found = []
    if method:
        found.append("method " + ", ".join(f"`Tensor.{n}`" for n in names
                                           if hasattr(torch.Tensor, n)))
    if declaration.inplace and not declaration.namespace:
        found.append("in place " + ", ".join(f"`Tensor.{n}_`" for n in names
                                             if hasattr(torch.Tensor, n + "_")))
    if declaration.out:
        found.append("`out=`")
    if declaration.view:
        found.append("a view of the same memory"
                     + (" where possible" if declaration.view == "if possible" else ""))
    return [f for f in found if not f.endswith(" ")]


def arguments(declaration: Declaration) -> list[str]:
    """A line a parameter, from the declaration's types."""
    found = []
    for parameter in declaration.parameters:
        kind = _KINDS.get(parameter.annotation, parameter.annotation)
        default = ("" if parameter.default is REQUIRED
                   else f"; {_value(parameter.default)} unless given")
        number = ("; another number compiles nothing new" if "Number" in parameter.annotation
                  else "")
        found.append(f"- `{parameter.name}`: {kind}{default}{number}")
    return found


# ---- signatures ---------------------------------------------------------------------------------


def _value(default) -> str:
    if hasattr(default, "__name__"):
        return default.__name__
    text = repr(default)
    if text.startswith("<"):
        return str(default) if not str(default).startswith("<") else "..."
    return text


def _annotation(annotation) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return f": {text}" if text and "<" not in text and text not in ("Any", "Union") else ""


def _is_ours(value) -> bool:
    return (getattr(value, "__module__", None) or "").startswith(("flambeau", "torch"))


def _sentence(entry: Entry) -> str:
    """The docstring of an entry, or what stands in its place."""
    value = entry.object
    if isinstance(value, type) and issubclass(value, torch.vision.models.WeightsEnum):
        return "Trained weights: " + ", ".join(value.__members__) + "."
    if isinstance(value, property):
        return inspect.getdoc(value) or ""
    if not callable(value):
        return f"{value!r} for every tensor."
    return (inspect.getdoc(value) or "") if _is_ours(value) else (
        f"Python's `{value.__module__}.{value.__qualname__}`."
        if hasattr(value, "__qualname__") else f"Python's `{value!r}`.")


def signature(name: str, value) -> str:
    """``name(parameters)`` as one writes it."""
    value = inspect.unwrap(value) if isinstance(value, type(torch.add)) else value
    if isinstance(value, property) or not callable(value):
        return name
    if isinstance(value, type) and issubclass(value, (enum.Enum, BaseException)) or (
            not _is_ours(value)):
        return f"{name}(...)"         # Python's own signatures differ from version to version
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return f"{name}(...)"
    parameters = list(found.parameters.values())
    if name.startswith("Tensor.") and not isinstance(value, staticmethod):
        parameters = parameters[1:]
    parts, star = [], False
    for parameter in parameters:
        if parameter.name == "self" or parameter.name.startswith("_"):
            continue
        text = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            text, star = "*" + text, True
        elif parameter.kind is parameter.VAR_KEYWORD:
            text = "**" + text
        else:
            if parameter.kind is parameter.KEYWORD_ONLY and not star:
                parts.append("*")
                star = True
            text += _annotation(parameter.annotation)
            if parameter.default is not parameter.empty:
                text += ("=" if ":" not in text else " = ") + _value(parameter.default)
        parts.append(text)
    line = f"{name}({', '.join(parts)})"
    return line if len(line) <= 96 else f"{name}(\n" + textwrap.fill(
        ", ".join(parts) + ")", 96, initial_indent="    ", subsequent_indent="    ",
        break_on_hyphens=False)


# ---- docstrings ---------------------------------------------------------------------------------


def _inline(text: str) -> str:
    text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
    text = re.sub(r":[a-z]+:`~?([^`]*)`", r"`\1`", text)
    return text.replace("``", "`")


def markdown(doc: str) -> str:
    """A docstring as Markdown: examples fenced, sections as lists, formulas between dollars."""
    out: list[str] = []
    lines = doc.split("\n")
    i = 0
    while i < len(lines):
        line = lines[i]
        stripped = line.strip()
        if stripped.startswith(">>> "):
            block = []
            while i < len(lines) and lines[i].strip():
                block.append(lines[i])
                i += 1
            out += ["```python", *textwrap.dedent("\n".join(block)).split("\n"), "```", ""]
            continue
        if stripped.startswith(".. math::"):
            formula, i = [stripped.removeprefix(".. math::").strip()], i + 1
            while i < len(lines) and (lines[i].startswith("    ") or not lines[i].strip()):
                if lines[i].strip():
                    formula.append(lines[i].strip())
                elif len(formula) > 1 or formula[0]:
                    break
                i += 1
            out += ["", "$$ " + " ".join(formula).strip() + " $$", ""]
            continue
        if stripped in _SECTIONS:
            block, i = [], i + 1
            while i < len(lines) and (not lines[i].strip() or lines[i].startswith("    ")):
                block.append(lines[i])
                i += 1
            out += ["", f"*{stripped.rstrip(':')}*", "", *_items("\n".join(block)), ""]
            continue
        out.append(_inline(line.rstrip()))
        i += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def _items(block: str) -> list[str]:
    """The items of a section: a line that is not indented further begins one."""
    found: list[str] = []
    for line in textwrap.dedent(block).split("\n"):
        if not line.strip():
            continue
        if line.startswith((" ", "\t")) and found:
            found[-1] += " " + line.strip()
        else:
            found.append("- " + line.strip())
    made = []
    for item in found:
        match = re.match(r"- ([\w*, .]+): (.*)", item)
        made.append(_inline(f"- `{match[1]}`: {match[2]}" if match else item))
    return made


# ---- examples -----------------------------------------------------------------------------------


def read_examples() -> dict[str, str]:
    """name -> program, from reference_examples.txt (``name: program``, indented lines follow)."""
    found: dict[str, str] = {}
    name = ""
    for line in (HERE / "reference_examples.txt").read_text(encoding="utf-8").split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] == " ":
            found[name] += "\n" + line.removeprefix("    ")
        else:
            name, _, program = line.partition(": ")
            if name in found:
                raise SystemExit(f"reference_examples.txt has {name} twice")
            found[name] = program
    return found


def run_example(program: str) -> str:
    """The program as an interactive session, with what it prints."""
    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional,
             "torchvision": torch.vision, "__name__": "__main__"}
    torch.manual_seed(0)
    session = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for statement in ast.parse(program).body:
            source = ast.get_source_segment(program, statement) or ""
            first, *rest = source.split("\n")
            session += [f">>> {first}", *(f"... {line}" for line in rest)]
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                if isinstance(statement, ast.Expr):
                    result = eval(compile(source, "<example>", "eval"), names)
                    if result is not None:
                        print(repr(result))
                else:
                    exec(compile(source, "<example>", "exec"), names)
            session += printed.getvalue().rstrip("\n").split("\n") if printed.getvalue() else []
    return "\n".join(session)


# ---- pages --------------------------------------------------------------------------------------


def _method_doc(entry: Entry, doc: str) -> str:
    """A method's documentation: one that is a function of torch refers to it."""
    name = entry.name.removeprefix("torch.Tensor.")
    function = getattr(torch, name, None)
    if not callable(function) or function is torch.Tensor:
        return doc
    if doc.startswith("See torch."):
        doc = inspect.getdoc(function) or ""
    declaration = _OF_FUNCTION.get(id(function))
    page = f"[torch.{name}](torch.md#torch{re.sub('[^a-z0-9_]', '', name.lower())})"
    if declaration is not None and declaration.name != name:
        page = f"torch.{name}, another name of [torch.{declaration.name}](torch.md)"
    return doc.split("\n\n")[0] + f"\n\nSee {page}."


def entry_text(entry: Entry, examples: dict[str, str], used: set[str]) -> str:
    """The Markdown of one entry."""
    short = entry.name.removeprefix("torch.") if entry.name.startswith("torch.Tensor.") else (
        entry.name)
    parts = [f"## {short}", "", "```python", signature(short, entry.object), "```", ""]
    doc = _sentence(entry)
    if entry.name.startswith("torch.Tensor."):
        doc = _method_doc(entry, doc)
    text = markdown(doc)
    example = ""
    if ">>> " not in doc and entry.name in examples:
        used.add(entry.name)
        example = "\n".join(["```python", run_example(examples[entry.name]), "```", ""])
    parts += [text, ""]
    declaration = _OF_FUNCTION.get(id(entry.object))
    if declaration is not None:
        if "*Args*" not in text and not entry.name.startswith("torch.Tensor."):
            parts += [*arguments(declaration), ""]
        found = forms(declaration, entry.aliases)
        if found:
            parts += ["Forms: " + "; ".join(found) + ".", ""]
    if example:
        parts += [example]
    others = sorted(a for a in set(entry.aliases) if a.split(".")[-1] != entry.name.split(".")[-1])
    if others:
        parts += ["Also " + ", ".join(f"`{a}`" for a in others) + ".", ""]
    return "\n".join(parts)


@contextlib.contextmanager
def _inside(folder: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def build() -> dict[str, str]:
    """file name -> text of every page."""
    entries = collect()
    examples, used = read_examples(), set[str]()
    texts = {}
    with tempfile.TemporaryDirectory() as folder, _inside(folder):
        for page, found in entries.items():
            body = [entry_text(e, examples, used) for e in found]
            values = sorted({c for m in public_modules() if page_of(m) == page
                             for c in constants(m)})
            if values:
                body.append("## Values\n\n" + ", ".join(f"`{v}`" for v in values) + "\n")
            texts[f"{page}.md"] = re.sub(
                r"\n{3,}", "\n\n", "\n".join([f"# {page}", "", *body]).rstrip() + "\n")
    left = sorted(set(examples) - used)
    if left:
        raise SystemExit(f"reference_examples.txt has examples for no entry: {', '.join(left)}")
    index = ["# Reference", "", _PREFACE, ""]
    index += [f"- [{page}]({page}.md): {len(found)} entries" for page, found in entries.items()]
    texts["README.md"] = "\n".join(index) + "\n"
    return texts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    folder = HERE / "reference"
    texts = build()
    known = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.md")}
    stale = sorted(n for n in {*texts, *known} if texts.get(n) != known.get(n))
    if options.check:
        print("\n".join(stale) or "up to date")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in set(known) - set(texts):
        (folder / name).unlink()
    print(f"wrote {len(stale)} of {len(texts)} pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
