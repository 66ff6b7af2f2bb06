import torch

x = torch.tensor([1, 2, 3])
print(x.float(), x.double(), x.half(), x.bool(), x.to(torch.int16))
print((x + 0.5).dtype, (x / 2).dtype, (x * x).dtype, (x.float() + x.double()).dtype)
print(torch.get_default_dtype(), torch.finfo(torch.float32).eps, torch.iinfo(torch.int8).max)
print(torch.tensor([1.7, -1.7]).int(), torch.tensor([0.0, 2.0]).bool())
print(x.type(torch.FloatTensor), x.type_as(torch.zeros(1)).dtype)

# Output:
# tensor([1., 2., 3.]) tensor([1., 2., 3.], dtype=torch.float64) tensor([1., 2., 3.], dtype=torch.float16) tensor([True, True, True]) tensor([1, 2, 3], dtype=torch.int16)
# torch.float32 torch.float32 torch.int64 torch.float64
# torch.float32 1.1920928955078125e-07 127
# tensor([ 1, -1], dtype=torch.int32) tensor([False,  True])
# tensor([1., 2., 3.]) torch.float32
