"""Operations on tensors, with Keras's names and signatures."""

# cast
from .cast import cast, convert_to_numpy, convert_to_tensor, custom_gradient, dtype, is_tensor, stop_gradient
