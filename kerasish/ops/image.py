"""Operations on images: what `keras.ops.image` exports."""

from .color import hsv_to_rgb, rgb_to_grayscale, rgb_to_hsv
from .patches import crop_images, extract_patches, extract_patches_3d, pad_images
from .resize import resize, scale_and_translate

__all__ = [
    "crop_images", "extract_patches", "extract_patches_3d", "hsv_to_rgb", "pad_images", "resize", "rgb_to_grayscale",
    "rgb_to_hsv", "scale_and_translate",
]  # fmt: skip
