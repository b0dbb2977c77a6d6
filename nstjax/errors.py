"""The one error and the one warning that are meant for the user's eyes."""


class NstjaxError(ValueError):
    """Something the caller gave cannot be used.

    The message is one sentence that says what is wrong and what to do about
    it. The command line prints it on stderr and exits with status 2; no
    traceback is shown.
    """

    def __init__(self, sentence: str) -> None:
        # Names may hold line breaks.
        super().__init__(sentence.replace("\n", "\\n"))


class NstjaxWarning(UserWarning):
    """Something the caller gave is used, but hardly as it was meant.

    The command line prints the message, one sentence, on stderr and goes on.
    """
