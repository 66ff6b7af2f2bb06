"""Names the module in which an error arose, on the way out of a failed ``Module.__call__``.

Nothing here runs while calls succeed.  The innermost module appends one line to the message; every
enclosing module then lengthens the path in that line.
"""
import os

_PACKAGE_DIRECTORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_STATE = "_flambeau_module_path"


def annotate_module_error(error, module, args):
    """Append ``in Net.fc1 (Linear(...)), which received (4, 1024)`` to *error*'s message.

    Only errors raised by Flambeau itself with one string argument are changed: an exception that a
    user's own ``forward`` raises keeps its text.
    """
    state = getattr(error, _STATE, None)
    if state is None:
        if len(error.args) != 1 or not isinstance(error.args[0], str):
            return
        if isinstance(error, NotImplementedError) or not _raised_inside_flambeau(error):
            return
        state = {
            "message": error.args[0],
            "inner": module,
            "names": [],
            "detail": f"({_described(module)}){_received(args)}{_hint(module, args)}",
        }
        try:
            setattr(error, _STATE, state)
        except AttributeError:  # an exception class with slots
            return
    elif state["inner"] is not module:
        name = _name_of_child(module, state["inner"])
        if name is None:
            return
        state["names"].insert(0, name)
        state["inner"] = module
    path = "".join([type(module).__name__, *(f".{name}" for name in state["names"])])
    error.args = (f"{state['message']}\n  in {path} {state['detail']}",)


def _raised_inside_flambeau(error):
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename.startswith(_PACKAGE_DIRECTORY)


def _name_of_child(parent, child):
    for name, module in parent.named_modules(remove_duplicate=False):
        if module is child:
            return name
    return None


def _described(module):
    own = repr(module) if "__repr__" in vars(type(module)) else ""
    if own and len(own.splitlines()) == 1:
        return own
    return f"{module._get_name()}({' '.join(module.extra_repr().split())})"


def _received(args):
    shapes = [tuple(arg.shape) for arg in args if hasattr(arg, "shape")]
    return f", which received {', '.join(map(str, shapes))}" if shapes else ""


def _hint(module, args):
    hint = getattr(type(module), "_shape_hint", None)
    if hint is None or not args or not all(hasattr(arg, "shape") for arg in args):
        return ""
    text = hint(module, *args)
    return f": {text}" if text else ""
