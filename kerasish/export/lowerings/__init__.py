"""How each op is written in ONNX. Importing the package fills the table."""

from . import attention, conv, elementwise, index, loss, matmul, norm, reduce, refusals, rnn, shape, statistics
from .table import LOWERINGS, reason
