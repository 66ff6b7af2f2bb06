"""Reading a pickle stream without executing anything: the default of ``load``.

An interpreter of the few opcodes that data needs. A name in the stream is looked up in a table of
allowed ones (``names.SAFE`` and what the user added), never imported; calls go to functions of
this package that check their arguments.
"""

from __future__ import annotations

import pickle
import struct
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import Any

import flambeau

from . import names, numpy_objects, tensors

#: Never allowed, whatever the user added.
BLOCKED_MODULES = ("sys", "os", "posix", "nt")


class SafeGlobals:
    """What the user allowed beyond the defaults, by ``add_safe_globals``."""

    def __init__(self) -> None:
        self.entries: list = []

    def by_name(self) -> dict[str, Any]:
        """Return full names, as files have them, with the objects."""
        table: dict[str, Any] = {}
        for entry in self.entries:
            if isinstance(entry, tuple):
                if len(entry) != 2:
                    raise ValueError(
                        "Expected tuple of length 2 (global, str of callable full path), but got "
                        f"tuple of length: {len(entry)}"
                    )
                value, name = entry
                if type(name) is not str:
                    raise TypeError(
                        "Expected second item in tuple to be str of callable full path, but got: "
                        f"{type(name)}"
                    )
                table[name] = value
            else:
                table[f"{entry.__module__}.{entry.__qualname__}"] = entry
                torch_name = names.torch_name_of(entry)
                if torch_name is not None:
                    table[".".join(torch_name)] = entry
        return table


user_globals = SafeGlobals()


def read_name(line: Callable[[], bytes]) -> tuple[str, str]:
    """Return (module, name) of a GLOBAL, with Python 2's names translated."""
    module, name = line().decode("utf-8"), line().decode("utf-8")
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[(module, name)]
    return IMPORT_MAPPING.get(module, module), name


class Cursor:
    """A position in the bytes of a stream; reading past the end raises."""

    def __init__(self, data: Any, position: int = 0) -> None:
        self.data = memoryview(data)
        self.position = position

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise EOFError("the pickle stream ends early: the file is truncated")
        chunk = bytes(self.data[self.position : end])
        self.position = end
        return chunk

    def line(self) -> bytes:
        """Return the bytes up to the next newline, without it."""
        window = bytes(self.data[self.position : self.position + 4096])
        length = window.find(b"\n")
        if length < 0:
            raise UnpicklingError("a name in the pickle stream does not end")
        self.position += length + 1
        return window[:length]

    def number(self, form: str) -> int:
        """Return an unpacked number."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]


_PLAIN_LENGTHS = {
    opcode[0]: length
    for opcode, length in [
        (pickle.BININT, 4), (pickle.BININT1, 1), (pickle.BININT2, 2), (pickle.BINFLOAT, 8),
        (pickle.BINGET, 1), (pickle.LONG_BINGET, 4), (pickle.BINPUT, 1), (pickle.LONG_BINPUT, 4),
        (pickle.PROTO, 1),
        *((opcode, 0) for opcode in [
            pickle.NEWOBJ, pickle.REDUCE, pickle.BUILD, pickle.APPEND, pickle.APPENDS,
            pickle.SETITEM, pickle.SETITEMS, pickle.MARK, pickle.TUPLE, pickle.TUPLE1,
            pickle.TUPLE2, pickle.TUPLE3, pickle.NONE, pickle.NEWFALSE, pickle.NEWTRUE,
            pickle.EMPTY_TUPLE, pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.EMPTY_SET,
            pickle.BINPERSID,
        ]),
    ]
}  # fmt: skip


def names_in_stream(cursor: Cursor) -> set[str]:
    """Return the full names that a stream mentions, without building anything."""
    found = set()
    while (opcode := cursor.take(1)) != pickle.STOP:
        if opcode == pickle.GLOBAL:
            found.add(".".join(read_name(cursor.line)))
        elif opcode == pickle.BINUNICODE:
            cursor.take(cursor.number("<I"))
        elif opcode in (pickle.SHORT_BINSTRING, pickle.LONG1):
            cursor.take(cursor.number("<B"))
        elif opcode[0] in _PLAIN_LENGTHS:
            cursor.take(_PLAIN_LENGTHS[opcode[0]])
        else:
            raise UnpicklingError(f"Unsupported operand {opcode[0]}")
    return found


class WeightsUnpickler:
    """Interprets one pickle stream.

    Args:
        cursor: where it starts.
        persistent_load: turns a storage's description, a tuple, into the storage.
        encoding: of the byte strings of Python 2; ``"bytes"`` leaves them.
    """

    def __init__(
        self,
        cursor: Cursor,
        persistent_load: Callable[[tuple], Any] | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self.cursor = cursor
        self.persistent_load = persistent_load
        self.encoding = encoding
        self.stack: list = []
        self.marked: list[list] = []  # the stacks below each MARK
        self.memo: dict[int, Any] = {}
        self.user_globals = user_globals.by_name()
        self.user_objects = {id(value) for value in self.user_globals.values()}
        self.builders: dict[int, Any] = {}  # id of an allowed object -> what a REDUCE calls

    def load(self) -> Any:
        """Return the object.

        Raises:
            pickle.UnpicklingError: if the stream asks for anything but data.
        """
        try:
            while (opcode := self.cursor.take(1)) != pickle.STOP:
                handler = _HANDLERS.get(opcode)
                if handler is None:
                    raise UnpicklingError(f"Unsupported operand {opcode[0]}")
                handler(self)
            return self.stack.pop()
        except UnpicklingError as error:
            raise UnpicklingError(f"{error}{self._place()}") from None
        except (IndexError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnpicklingError(
                f"malformed pickle stream ({type(error).__name__}: {error}){self._place()}"
            ) from error

    def _place(self) -> str:
        """Return words on where in the object the stream is, such as ``at ['epoch']``."""
        frames = [*self.marked, self.stack]
        path = ""
        for outer, frame in zip([[], *frames], frames):
            container = outer[-1] if outer else None
            if isinstance(container, dict):  # key, value, key, value ...
                if frame:
                    path += f"[{frame[(len(frame) - 1) // 2 * 2]!r:.60}]"
            elif isinstance(container, list):
                path += f"[{len(container) + len(frame)}]"
            else:  # a dict of one item is set without a MARK
                for item, key in zip(frame, frame[1:]):
                    if isinstance(item, dict) and isinstance(key, (str, int)):
                        path += f"[{key!r:.60}]"
        return f" (found at {path} of the saved object)" if path else ""

    # Names and calls

    def op_global(self) -> None:
        module, name = read_name(self.cursor.line)
        path = f"{module}.{name}"
        if module in BLOCKED_MODULES:
            raise UnpicklingError(
                f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked."
            )
        entry = names.safe_entry(path) or numpy_objects.SAFE.get(path)
        if path in self.user_globals:
            value = builder = self.user_globals[path]
        elif entry is not None:
            value, builder = entry
        else:
            short = path[len("builtins.") :] if path.startswith("builtins.") else path
            raise UnpicklingError(
                f"Unsupported global: GLOBAL {short} was not an allowed global by default. "
                f"Please use `torch.serialization.add_safe_globals([{short}])` or the "
                f"`torch.serialization.safe_globals([{short}])` context manager to allowlist "
                "this global if you trust this class/function."
            )
        if builder is not None:
            self.builders[id(value)] = builder
        self.stack.append(value)

    def op_reduce(self) -> None:
        arguments = self.stack.pop()
        builder = self.builders.get(id(self.stack[-1]))
        if builder is None:
            raise UnpicklingError(
                f"Trying to call reduce for unrecognized function {self.stack[-1]!r:.100}"
            )
        if type(arguments) is not tuple:
            raise UnpicklingError(f"arguments should be a tuple, but are {type(arguments)}")
        self.stack[-1] = builder(*arguments)

    def op_newobj(self) -> None:
        arguments = self.stack.pop()
        kind = self.stack.pop()
        if kind is names.parameter_class():
            self.stack.append(tensors.parameter_from(*arguments))
        elif kind is OrderedDict and not arguments:
            self.stack.append(OrderedDict())
        elif isinstance(kind, type) and id(kind) in self.user_objects:
            self.stack.append(kind.__new__(kind, *arguments))
        else:
            raise UnpicklingError(
                "Can only create new object for nn.Parameter or classes allowlisted "
                f"via `add_safe_globals` but got {kind!r:.100}"
            )

    def op_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, (numpy_objects.DtypeShell, numpy_objects.ArrayShell)):
            self._replace(target, target.finish(state))
        elif type(target) is OrderedDict:
            if not isinstance(state, dict):
                raise UnpicklingError(f"attributes should be a dict, but are {type(state)}")
            target.__dict__.update(state)
        elif isinstance(target, flambeau.Tensor):
            if type(target) is flambeau.Tensor:
                raise UnpicklingError("tensors of PyTorch before 0.1.10 are not supported")
            tensors.set_attributes(target, state)
        elif id(type(target)) in self.user_objects:
            if hasattr(target, "__setstate__"):
                target.__setstate__(state)
            else:
                tensors.set_attributes(target, state)
        else:
            raise UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted "
                f"via `add_safe_globals`, but got {type(target)}"
            )

    def _replace(self, shell: Any, value: Any) -> None:
        """Put a finished object where its shell is: on the stack and in the memo."""
        self.stack[-1] = value
        for index, item in self.memo.items():
            if item is shell:
                self.memo[index] = value

    def op_persistent(self) -> None:
        description = self.stack.pop()
        if type(description) is not tuple or not description:
            raise UnpicklingError(
                f"persistent_load id must be tuple or int, but got {type(description)}"
            )
        if description[0] not in ("storage", b"storage"):
            raise UnpicklingError(
                f"Only persistent_load of storage is allowed, but got {description[0]!r:.60}"
            )
        if self.persistent_load is None:
            raise UnpicklingError("unsupported persistent id encountered")
        self.stack.append(self.persistent_load(description))

    # Containers

    def op_mark(self) -> None:
        self.marked.append(self.stack)
        self.stack = []

    def _pop_mark(self) -> list:
        items = self.stack
        self.stack = self.marked.pop()
        return items

    def _extend(self, items: list, verb: str) -> None:
        if type(self.stack[-1]) is not list:
            raise UnpicklingError(f"Can only {verb} lists, but got {type(self.stack[-1])}")
        self.stack[-1].extend(items)

    def _set_items(self, items: list, opcode: str) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise UnpicklingError(
                f"Can only {opcode} for dict, collections.OrderedDict, "
                f"collections.Counter, but got {type(target)}"
            )
        if len(items) % 2:
            raise UnpicklingError("a dict has a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            names.check_hashable(key)
            target[key] = value

    def op_append(self) -> None:
        item = self.stack.pop()
        self._extend([item], "append to")

    def op_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value], "SETITEM")

    def op_tuple(self) -> None:
        items = self._pop_mark()  # this puts another stack in place
        self.stack.append(tuple(items))

    def op_tuple_of(self, count: int) -> None:
        if len(self.stack) < count:
            raise UnpicklingError("a tuple lacks items")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    # Plain values

    def op_short_string(self) -> None:
        data = self.cursor.take(self.cursor.number("<B"))
        self.stack.append(data if self.encoding == "bytes" else data.decode(self.encoding))

    def op_unicode(self) -> None:
        text = self.cursor.take(self.cursor.number("<I"))
        self.stack.append(str(text, "utf-8", "surrogatepass"))

    def op_protocol(self) -> None:
        protocol = self.cursor.number("<B")
        if protocol != 2:
            warnings.warn(
                f"Detected pickle protocol {protocol} in the checkpoint, which was not the default "
                "pickle protocol used by `torch.load` (2). Loading with weights_only=True knows "
                "the instructions of protocol 2 only.",
                stacklevel=5,
            )

    def push_number(self, form: str) -> None:
        self.stack.append(self.cursor.number(form))

    def push_memo(self, form: str) -> None:
        self.stack.append(self.memo[self.cursor.number(form)])

    def put_memo(self, form: str) -> None:
        self.memo[self.cursor.number(form)] = self.stack[-1]


_Handler = Callable[[WeightsUnpickler], None]

_HANDLERS: dict[bytes, _Handler] = {
    pickle.GLOBAL: WeightsUnpickler.op_global,
    pickle.REDUCE: WeightsUnpickler.op_reduce,
    pickle.NEWOBJ: WeightsUnpickler.op_newobj,
    pickle.BUILD: WeightsUnpickler.op_build,
    pickle.BINPERSID: WeightsUnpickler.op_persistent,
    pickle.MARK: WeightsUnpickler.op_mark,
    pickle.APPEND: WeightsUnpickler.op_append,
    pickle.APPENDS: lambda self: self._extend(self._pop_mark(), "extend"),
    pickle.SETITEM: WeightsUnpickler.op_setitem,
    pickle.SETITEMS: lambda self: self._set_items(self._pop_mark(), "SETITEMS"),
    pickle.TUPLE: WeightsUnpickler.op_tuple,
    pickle.TUPLE1: lambda self: self.op_tuple_of(1),
    pickle.TUPLE2: lambda self: self.op_tuple_of(2),
    pickle.TUPLE3: lambda self: self.op_tuple_of(3),
    pickle.NONE: lambda self: self.stack.append(None),
    pickle.NEWTRUE: lambda self: self.stack.append(True),
    pickle.NEWFALSE: lambda self: self.stack.append(False),
    pickle.EMPTY_TUPLE: lambda self: self.stack.append(()),
    pickle.EMPTY_LIST: lambda self: self.stack.append([]),
    pickle.EMPTY_DICT: lambda self: self.stack.append({}),
    pickle.EMPTY_SET: lambda self: self.stack.append(set()),
    pickle.BININT: lambda self: self.push_number("<i"),
    pickle.BININT1: lambda self: self.push_number("<B"),
    pickle.BININT2: lambda self: self.push_number("<H"),
    pickle.BINFLOAT: lambda self: self.push_number(">d"),
    pickle.LONG1: lambda self: self.stack.append(
        pickle.decode_long(self.cursor.take(self.cursor.number("<B")))
    ),
    pickle.BINUNICODE: WeightsUnpickler.op_unicode,
    pickle.SHORT_BINSTRING: WeightsUnpickler.op_short_string,
    pickle.BINGET: lambda self: self.push_memo("<B"),
    pickle.LONG_BINGET: lambda self: self.push_memo("<I"),
    pickle.BINPUT: lambda self: self.put_memo("<B"),
    pickle.LONG_BINPUT: lambda self: self.put_memo("<I"),
    pickle.PROTO: WeightsUnpickler.op_protocol,
}


def unsafe_names(cursor: Cursor) -> list[str]:
    """Return the names in a stream that weights-only loading would refuse."""
    allowed = user_globals.by_name()
    refused = []
    for path in sorted(names_in_stream(cursor)):
        known = path in names.SAFE or path in numpy_objects.SAFE or path in names.UNSUPPORTED
        if not known and path not in allowed and names.safe_entry(path) is None:
            refused.append(path)
    return refused
