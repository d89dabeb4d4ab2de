"""Writing models for other programs: ONNX, one lowering for each op."""

from .onnx_file import import_onnx, to_onnx, write_model
