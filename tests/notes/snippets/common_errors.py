import torch
from torch import nn


def show(f):
    try:
        f()
    except Exception as error:
        print(type(error).__name__ + ":", str(error).split("\n")[0][:54])


show(lambda: torch.ones(2, 3) + torch.ones(2, 4))
show(lambda: torch.ones(2, 3) @ torch.ones(2, 3))
show(lambda: nn.Linear(4, 2)(torch.ones(2, 3)))
show(lambda: torch.ones(3).view(2))
show(lambda: torch.tensor([[1, 2], [3]]))
show(lambda: torch.ones(3)[5])
show(lambda: torch.ones(2, requires_grad=True).numpy())
show(lambda: torch.ones(2).backward())
show(lambda: torch.ones(2).item())
show(lambda: bool(torch.ones(2)))
show(lambda: torch.stack([torch.ones(3), torch.ones(4)]))
show(lambda: torch.cat([torch.ones(1, 3), torch.ones(1, 4)]))
show(lambda: torch.ones(2, dtype=torch.long, requires_grad=True))
show(lambda: torch.ones(2, requires_grad=True).add_(1))

# Output:
# RuntimeError: The size of tensor a (3) must match the size of tensor
# RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3
# RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x2
# RuntimeError: shape '[2]' is invalid for input of size 3
# ValueError: expected sequence of length 2 at dim 1 (got 1)
# IndexError: index 5 is out of bounds for dimension 0 with size 3
# RuntimeError: Can't call numpy() on Tensor that requires grad. Use t
# RuntimeError: element 0 of tensors does not require grad and does no
# RuntimeError: a Tensor with 2 elements cannot be converted to Scalar
# RuntimeError: Boolean value of Tensor with more than one value is am
# RuntimeError: stack expects each tensor to be equal size, but got [3
# RuntimeError: Sizes of tensors must match except in dimension 0. Exp
# RuntimeError: Only Tensors of floating point and complex dtype can r
# RuntimeError: a leaf Variable that requires grad is being used in an
