"""CenterFace (Xu et al., 2019): the network, and what its four planes say."""

from falco_core.faces.centerface.network import CenterFace, Seen, overlaps

__all__ = ["CenterFace", "Seen", "overlaps"]
