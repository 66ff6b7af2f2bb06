"""Full backward hooks: identity functions around a module that report gradients as they pass."""
import warnings

import flambeau


class BackwardHooks:
    """One call of one module, watched: collects ``grad_output``, then ``grad_input``."""

    def __init__(self, module, hooks, pre_hooks):
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_output = None
        self.input_count = 0
        self.input_places = None
        self.output_places = None

    def watch_inputs(self, args):
        self.input_count = len(args)
        args, self.input_places = _pass_through(args, self._inputs_done)
        return args

    def watch_outputs(self, result):
        is_tuple = isinstance(result, tuple)
        if not is_tuple and not isinstance(result, flambeau.Tensor):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
        outputs = result if is_tuple else (result,)
        self.output_count = len(outputs)
        outputs, self.output_places = _pass_through(outputs, self._outputs_done)
        return outputs if is_tuple else outputs[0]

    def _outputs_done(self, gradients):
        grad_output = _spread(self.output_places, gradients, self.output_count)
        for hook in self.pre_hooks:
            changed = hook(self.module, grad_output)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(grad_output):
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, "
                    f"got {len(changed)}, but expected {len(grad_output)}"
                )
            grad_output = changed
        self.grad_output = grad_output
        if self.input_places is None:
            self._report_without_inputs()
        return tuple(grad_output[place] for place in self.output_places)

    def _report_without_inputs(self):
        if self.hooks:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients.",
                stacklevel=2,
            )
        grad_input = (None,) * self.input_count
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None and not (
                isinstance(changed, tuple) and all(element is None for element in changed)
            ):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_output = None

    def _inputs_done(self, gradients):
        if self.grad_output is None:  # no gradient reached the outputs
            return gradients
        grad_input = _spread(self.input_places, gradients, self.input_count)
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(grad_input):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, "
                    f"got {len(changed)}, but expected {len(grad_input)}"
                )
            grad_input = changed
        self.grad_output = None
        return tuple(grad_input[place] for place in self.input_places)


def _spread(places, values, count):
    spread = [None] * count
    for place, value in zip(places, values):
        spread[place] = value
    return tuple(spread)


def _pass_through(values, on_gradients):
    """Route the tensors among *values* through an identity whose backward calls *on_gradients*.

    Returns the new values and the places of the tensors, or None when none requires grad.
    """
    places = [i for i, value in enumerate(values) if isinstance(value, flambeau.Tensor)]
    tensors = [values[i] for i in places]
    if not (flambeau.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)):
        return values, None
    watched = _identity().apply(on_gradients, *tensors)
    changed = list(values)
    for place, tensor in zip(places, watched):
        changed[place] = tensor
    if type(values) is tuple:
        return tuple(changed), places
    return type(values)(*changed), places  # a namedtuple


def _identity():
    global _identity_function
    if _identity_function is None:

        class BackwardHookFunction(flambeau.autograd.Function):
            @staticmethod
            def forward(ctx, on_gradients, *tensors):
                ctx.on_gradients = on_gradients
                ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
                return tensors

            @staticmethod
            def backward(ctx, *gradients):
                return (None, *ctx.on_gradients(gradients))

        _identity_function = BackwardHookFunction
    return _identity_function


_identity_function = None
