"""Brushes and other tools, by how they lay paint down."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Brush:
    """A tool. As it stands it draws an even band of flat paint.

    Attributes:
        opacity: of the paint, in [0, 1].
        bristle: width of one bristle's streak, in units.
        streak: relative deviation of lightness between bristles.
        blend: how far bristles carry the stroke's second colour, in [0, 1].
        dryness: share of bristles that have run out at the stroke's end.
        fray: share of bristles that miss the canvas at the stroke's sides.
        ragged: unevenness of the stroke's two ends, in stroke widths.
        taper: shares of the length over which the stroke widens and narrows.
        point: width at the very ends, as a share of the full width.
        soft: share of the half width over which the sides fade out.
        fade: share of its opacity that the stroke loses towards its end.
        pickup: share of the colour under the brush that it drags along.
        body: thickness of the paint, in units.
        ridge: thickness that the brush pushes to its sides and end, likewise.
        tooth: how much the ground's grain breaks the stroke up, in [0, 1].
        stain: whether the paint is transparent and multiplies what it covers.
    """

    opacity: float = 1.0
    bristle: float = 1.0
    streak: float = 0.1
    blend: float = 0.5
    dryness: float = 0.0
    fray: float = 0.0
    ragged: float = 0.0
    taper: tuple[float, float] = (0.0, 0.0)
    point: float = 0.3
    soft: float = 0.05
    fade: float = 0.0
    pickup: float = 0.0
    body: float = 0.0
    ridge: float = 0.0
    tooth: float = 0.0
    stain: bool = False

    def but(self, **changes: object) -> "Brush":
        """The same tool, handled differently."""
        return dataclasses.replace(self, **changes)


# A bristle brush full of thick oil paint.
OIL = Brush(
    bristle=1.2, streak=0.12, blend=0.8, dryness=0.3, fray=0.2, ragged=0.4,
    taper=(0.15, 0.3), soft=0.1, pickup=0.2, body=1.1, ridge=0.9,
)  # fmt: skip
# A palette knife, which leaves slabs with sharp rims.
KNIFE = Brush(
    bristle=2.6, streak=0.05, dryness=0.25, fray=0.05, ragged=0.18, pickup=0.25,
    body=1.6, ridge=2.6,
)  # fmt: skip
# A stick of chalk or wax on rough paper.
CHALK = Brush(
    bristle=0.8, dryness=0.3, fray=0.45, ragged=0.5, taper=(0.15, 0.3), point=0.4,
    soft=0.35, pickup=0.08, body=0.15, tooth=0.7,
)  # fmt: skip
# A pointed brush full of ink, and the same brush nearly dry.
INK = Brush(stain=True, taper=(0.25, 0.5), point=0.1, fray=0.1, dryness=0.1, soft=0.3)
DRY_INK = INK.but(bristle=0.7, streak=0.35, dryness=0.6, fray=0.5, ragged=0.3)
# The tip of a brush set down once: a stroke as long as it is wide is a disc.
DAB = Brush(streak=0.05, taper=(0.5, 0.5), point=0.05)
