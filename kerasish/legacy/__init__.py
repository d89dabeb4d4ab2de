"""What Keras keeps for configs of its older versions."""

from . import saving
