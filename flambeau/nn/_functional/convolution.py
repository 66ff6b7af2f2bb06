"""Linear maps, convolutions and blocks: the operations themselves."""
from flambeau.ops import nn_conv as ops
from flambeau.ops import nn_spatial as spatial

bilinear = ops.bilinear
conv1d = ops.conv1d
conv2d = ops.conv2d
conv3d = ops.conv3d
conv_tbc = ops.conv_tbc
conv_transpose1d = ops.conv_transpose1d
conv_transpose2d = ops.conv_transpose2d
conv_transpose3d = ops.conv_transpose3d
fold = spatial.fold
linear = ops.linear
unfold = spatial.unfold
