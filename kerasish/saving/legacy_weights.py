"""stub"""


def is_legacy(r):
    return False
