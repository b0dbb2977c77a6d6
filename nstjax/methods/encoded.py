"""Styles encoded for feed-forward methods, once for many pictures."""

import collections
import dataclasses
import threading
from collections.abc import Callable, Hashable

import numpy as np

from nstjax.methods import plan as planning
from nstjax.methods.base import Plan
from nstjax.methods.styles import SavedStyle

# The number of recently used styles that are kept; each takes a few KB.
_MOST = 256

# A style's name, from its index in the plan and its picture.
Name = Callable[[int, np.ndarray], Hashable]


class EncodedStyles:
    """A cache of encoded styles by name and size, which threads may share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: collections.OrderedDict[tuple[Hashable, int], SavedStyle]
        self._known = collections.OrderedDict()

    def encode(self, plan: Plan, *, name: Name) -> Plan:
        """The plan with its styles encoded, if its method can use encoded styles.

        Args:
            plan: from `nstjax.methods.plan.make_plan`.
            name: gives each style a name that is unique for the lifetime of this
                object.
        """
        if not planning.can_keep_styles(plan):
            return plan
        styles = tuple(
            self._encode_one(plan, number, style, name)
            for number, style in enumerate(plan.styles)
        )
        return dataclasses.replace(plan, styles=styles)

    def _encode_one(
        self, plan: Plan, number: int, style: np.ndarray | SavedStyle, name: Name
    ) -> SavedStyle:
        if isinstance(style, SavedStyle):
            return style
        key = (name(number, style), planning.style_side(plan))
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        (encoded,) = planning.encode_styles(dataclasses.replace(plan, styles=(style,)))
        with self._lock:
            self._known[key] = encoded
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return encoded
