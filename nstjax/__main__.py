"""``python -m nstjax`` is the ``nstjax`` command."""

from nstjax.cli.main import entry

# Reading processes import this module anew, under another name.
if __name__ == "__main__":
    entry()
