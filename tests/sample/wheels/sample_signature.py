__version__ = "1.0"


def sign(name):
    return f"Installed by {name}."
