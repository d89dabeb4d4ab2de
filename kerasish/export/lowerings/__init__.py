"""How each op is written in ONNX. Importing the package fills the table."""

from . import attention, conv, elementwise, index, matmul, norm, reduce, refusals, rnn, shape
from .table import LOWERINGS, reason
