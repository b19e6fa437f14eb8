"""The requirements of a scenario on the machine."""

import os
import shutil


class Impossible(Exception):
    """The scenario cannot be tried here; the text says why."""


def need_root(what: str) -> None:
    """Refuse where we may not do what only root may.

    Raises:
        Impossible: we are not root.
    """
    if os.geteuid() != 0:
        raise Impossible(f"{what} needs root")


def need_program(name: str, package: str) -> str:
    """The path of a program.

    Raises:
        Impossible: it is not installed.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise Impossible(f"{name} is not installed: apt-get install {package}")
    return found
