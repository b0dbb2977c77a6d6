"""``python -m nstjax`` is the ``nstjax`` command."""

from nstjax.cli.main import entry

# Reader processes import this module again, under another name.
if __name__ == "__main__":
    entry()
